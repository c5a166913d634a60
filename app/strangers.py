"""Names in the environment that look like settings of the gateway and are none: a mistyped one would be no setting."""

import difflib
from collections.abc import Iterable, Iterator

from app.settings import Settings

PREFIX = str(Settings.model_config["env_prefix"])
KNOWN = frozenset(PREFIX + name.upper() for name in Settings.model_fields)
# Of Sluice's other programs, which share a shell, a job or an image with the gateway.
OTHERS = frozenset(
    PREFIX + name
    for name in (
        *("ANSWERS_CASES", "ANSWERS_PER_SECOND", "GATEWAY_ROLLOUT", "GATEWAY_URL", "PROBER_PORT", "RATE_PER_ARM"),
        *("MODEL_CACHE", "MODEL_PIN", "MODEL_SHA256", "SHUTDOWN_SECONDS", "STARTED_SECONDS"),
        *("WARM_UP_REQUESTS", "WARM_UP_TOKENS"),
        *("API_KEY", "CACHE", "DEBUG", "FORGE", "PROMETHEUS", "SIGNING_KEY"),
        *("BUILD", "ENGINE_ITL_MS", "ENGINE_TOKENS", "ENGINE_TTFT_MS", "FAULTS", "FAULT_PORT", "FAULT_TARGET"),
        *("LAB_FAULT", "STATE"),
    )
)


def found(names: Iterable[str]) -> Iterator[str]:
    """One line for each, with the name that comes nearest."""
    for name in sorted(names):
        if name.upper().startswith(PREFIX) and name.upper() not in KNOWN | OTHERS:
            [near] = difflib.get_close_matches(name.upper(), sorted(KNOWN), 1, 0)
            yield f"{name}: there is no such setting; the nearest is {near} (all: app/README.md)"
