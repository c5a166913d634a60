"""A team's repository and a scripted API server, which the tests of `release` have."""

from tests.release.conftest import api, cluster, server, team

__all__ = ["api", "cluster", "server", "team"]
