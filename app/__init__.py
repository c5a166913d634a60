"""The gateway: where users come in, and where releases are seen."""
