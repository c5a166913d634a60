"""`python3 -m app`: the gateway on its port, until SIGTERM; then running answers are finished."""

import logging
import os
import sys

import structlog
from pydantic import ValidationError

from app import strangers
from app.main import create_app
from app.server import run
from app.settings import Settings


def main() -> int:
    wrong = list(strangers.found(os.environ))
    try:
        settings = Settings()
    except ValidationError as error:
        for one in error.errors():
            name, said = "_".join(map(str, one["loc"])).upper(), one["msg"].removeprefix("Value error, ")
            wrong.append(f"SLUICE_{name}: {said}")
    if wrong:
        print(*wrong, sep="\n", file=sys.stderr)  # noqa: T201
        return 2
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, settings.log_level.upper())),
    )
    run(create_app(settings), settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
