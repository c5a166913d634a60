"""Has the engine really started? Exit 0 once it has generated one token, else 1 with one line.

Standard library only: it runs in the engine image as its startup probe.
"""

import http.client
import json
import os
import sys
from typing import Any

SECONDS = 20.0
WARM_UP = 3  # generations before the one that counts: the first users do not pay for what is made on first use
WARM_UP_TOKENS = 16


def generates(port: int, seconds: float = SECONDS) -> str:
    """The reason why not, or an empty text when one token came back."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        for _ in range(WARM_UP):
            asked(connection, WARM_UP_TOKENS)
        status, answer = asked(connection, 1)
        if status != 200:
            return f"status {status}"
        return "" if answer["usage"]["completion_tokens"] == 1 else "no token came back"
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        connection.close()


def asked(connection: http.client.HTTPConnection, tokens: int) -> tuple[int, Any]:
    """Status and answer of one generation."""
    body = json.dumps({"prompt": "1", "max_tokens": tokens, "temperature": 0})
    connection.request("POST", "/v1/completions", body, {"content-type": "application/json"})
    reply = connection.getresponse()
    return reply.status, json.loads(reply.read())


def main() -> int:
    port = int(os.environ.get("SLUICE_ENGINE_PORT") or 8000)
    why = generates(port, float(os.environ.get("SLUICE_STARTED_SECONDS") or SECONDS))
    print(f"not started: {why}" if why else "started")  # noqa: T201
    return 1 if why else 0


if __name__ == "__main__":
    sys.exit(main())
