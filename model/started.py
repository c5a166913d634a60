"""Has the engine really started? Exit 0 once it has generated one token, else 1 with one line.

Standard library only: it runs in the engine image as its startup probe.
"""

import http.client
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SECONDS = 20.0


@dataclass(frozen=True)
class WarmUp:
    """Generations before the one that counts: the first users do not pay for what is made on first use."""

    requests: int = 3
    tokens: int = 16

    @classmethod
    def told(cls, env: Mapping[str, str]) -> "WarmUp":
        """Raises ValueError: a number that is none."""
        requests, tokens = env.get("SLUICE_WARM_UP_REQUESTS"), env.get("SLUICE_WARM_UP_TOKENS")
        return cls(int(requests or cls.requests), int(tokens or cls.tokens))


def generates(port: int, seconds: float = SECONDS, warm_up: WarmUp = WarmUp()) -> str:
    """The reason why not, or an empty text when one token came back."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        for _ in range(warm_up.requests):
            asked(connection, warm_up.tokens)
            chatted(connection, warm_up.tokens)
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


def chatted(connection: http.client.HTTPConnection, tokens: int) -> None:
    """A chat as users have it, for its template and its stream are made on first use too; a model may have none."""
    said = [{"role": "user", "content": "1"}]
    body = json.dumps({"messages": said, "max_tokens": tokens, "temperature": 0, "stream": True})
    connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
    connection.getresponse().read()


def main() -> int:
    port = int(os.environ.get("SLUICE_ENGINE_PORT") or 8000)
    try:
        why = generates(port, float(os.environ.get("SLUICE_STARTED_SECONDS") or SECONDS), WarmUp.told(os.environ))
    except ValueError as error:
        why = f"SLUICE_STARTED_SECONDS, SLUICE_WARM_UP_REQUESTS and SLUICE_WARM_UP_TOKENS are numbers: {error}"
    print(f"not started: {why}" if why else "started")  # noqa: T201
    return 1 if why else 0


if __name__ == "__main__":
    sys.exit(main())
