"""Probing at an even pace: golden prompts to both arms, as long as it runs."""

import asyncio
import itertools
import json
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from app.metrics import ARMS
from quality import prompts
from quality.pace import beat


@dataclass(frozen=True)
class Settings:
    gateway: str
    key: str = field(repr=False)
    model: str
    rate_per_arm: float = 2.0
    at_once: int = 64  # requests in flight per arm; above it a probe is left out and logged
    seconds: float = 60.0
    port: int = 8081
    back_off: float = 1.0
    answers_per_second: float = 4.0  # golden cases for the quality gate, each to both arms
    answers_cases: int = 0  # at most so many of them; 0: all
    namespace: str = ""
    gateway_rollout: str = ""  # whose pods are probed one by one while it is released; empty: none

    @classmethod
    def from_env(cls) -> "Settings":
        """From SLUICE_*; ValueError in one line for what is missing."""
        env = os.environ
        missing = [name for name in ("GATEWAY_URL", "PROBE_KEY_FILE", "MODEL_NAME") if not env.get(f"SLUICE_{name}")]
        if missing:
            raise ValueError(f"set {', '.join(f'SLUICE_{name}' for name in missing)}")
        rates = {name: float(env.get(f"SLUICE_{name}", default)) for name, default in RATES.items()}
        if wrong := [name for name, rate in rates.items() if rate <= 0]:
            raise ValueError(f"SLUICE_{wrong[0]} is {rates[wrong[0]]}: it must be above 0")
        return cls(
            gateway=env["SLUICE_GATEWAY_URL"].rstrip("/"),
            key=Path(env["SLUICE_PROBE_KEY_FILE"]).read_text(encoding="utf-8").strip(),
            model=env["SLUICE_MODEL_NAME"],
            rate_per_arm=rates["RATE_PER_ARM"],
            port=int(env.get("SLUICE_PROBER_PORT", cls.port)),
            answers_per_second=rates["ANSWERS_PER_SECOND"],
            answers_cases=int(env.get("SLUICE_ANSWERS_CASES", cls.answers_cases)),
            namespace=env.get("SLUICE_NAMESPACE", ""),
            gateway_rollout=env.get("SLUICE_GATEWAY_ROLLOUT", ""),
        )


RATES = {"RATE_PER_ARM": Settings.rate_per_arm, "ANSWERS_PER_SECOND": Settings.answers_per_second}


def say(**what: Any) -> None:
    sys.stderr.write(json.dumps({"time": round(time.time(), 3), **what}, ensure_ascii=False) + "\n")


class Paced:
    """Sends probes to each arm; what one of them is, a subclass says."""

    def __init__(self, settings: Settings, golden: list[prompts.Golden]) -> None:
        self.settings, self.golden = settings, golden
        self.sent = dict.fromkeys(ARMS, 0)
        self.failed = dict.fromkeys(ARMS, 0)
        self.session: aiohttp.ClientSession

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Until cancelled; what is in flight then is cancelled too."""
        self.session = session
        async with asyncio.TaskGroup() as arms:
            for arm in ARMS:
                arms.create_task(self.paced(arm))

    async def paced(self, arm: str) -> None:
        """Open loop: a slow engine does not slow the prober down, or it would hide itself."""
        due = time.monotonic()
        in_flight: set[asyncio.Task[None]] = set()
        async with asyncio.TaskGroup() as probes:
            for turn in itertools.count():
                due = await beat(due, self.settings.rate_per_arm)
                if self.idle(arm, due):
                    continue
                if len(in_flight) >= self.settings.at_once:
                    say(event="probe left out", arm=arm, in_flight=len(in_flight))
                    continue
                probe = probes.create_task(self.probe(arm, turn))
                in_flight.add(probe)
                probe.add_done_callback(in_flight.discard)

    def idle(self, arm: str, due: float) -> bool:
        """Whether there is nothing to probe at `due`, in time.monotonic()'s seconds."""
        raise NotImplementedError

    async def probe(self, arm: str, turn: int) -> None:
        raise NotImplementedError

    def drawn(self, turn: int) -> tuple[prompts.Golden, bool]:
        """A prompt, and whether it is streamed: three of four, for only a stream tells the TTFT; each both ways."""
        return self.golden[turn % len(self.golden)], (turn + turn // len(self.golden)) % 4 != 0
