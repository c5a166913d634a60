"""Has the engine really started? Exit 0 once it has generated one token, else 1 with one line.

Standard library only: it runs in the engine image as its startup probe.
"""

import http.client
import json
import os
import sys

SECONDS = 20.0


def generates(port: int, seconds: float = SECONDS) -> str:
    """The reason why not, or an empty text when one token came back."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    asked = json.dumps({"prompt": "1", "max_tokens": 1, "temperature": 0})
    try:
        connection.request("POST", "/v1/completions", asked, {"content-type": "application/json"})
        reply = connection.getresponse()
        answer = json.loads(reply.read())
        if reply.status != 200:
            return f"status {reply.status}"
        return "" if answer["usage"]["completion_tokens"] == 1 else "no token came back"
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        connection.close()


def main() -> int:
    port = int(os.environ.get("SLUICE_ENGINE_PORT") or 8000)
    why = generates(port, float(os.environ.get("SLUICE_STARTED_SECONDS") or SECONDS))
    print(f"not started: {why}" if why else "started")  # noqa: T201
    return 1 if why else 0


if __name__ == "__main__":
    sys.exit(main())
