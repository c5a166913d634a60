import asyncio
import contextlib
import json
from collections import Counter
from pathlib import Path

import aiohttp
import pytest

from quality import prompts
from quality.probing import Paced, Settings


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    (tmp_path / "key").write_text(" secret\n")
    monkeypatch.setenv("SLUICE_GATEWAY_URL", "http://127.0.0.1:1/")
    monkeypatch.setenv("SLUICE_PROBE_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("SLUICE_MODEL_NAME", "m")
    return monkeypatch


def test_settings_come_from_the_environment_and_the_key_from_its_file(env: pytest.MonkeyPatch) -> None:
    env.setenv("SLUICE_RATE_PER_ARM", "7")
    found = Settings.from_env()

    assert (found.gateway, found.key, found.model, found.rate_per_arm) == ("http://127.0.0.1:1", "secret", "m", 7)
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("GATEWAY_URL", "", "set SLUICE_GATEWAY_URL$"),
        ("MODEL_NAME", "", "set SLUICE_MODEL_NAME$"),
        ("RATE_PER_ARM", "0", "SLUICE_RATE_PER_ARM is 0.0: it must be above 0"),
        ("ANSWERS_PER_SECOND", "-1", "SLUICE_ANSWERS_PER_SECOND is -1.0: it must be above 0"),
    ],
)
def test_a_setting_that_is_missing_or_wrong_is_named(env: pytest.MonkeyPatch, name: str, value: str, why: str) -> None:
    env.setenv(f"SLUICE_{name}", value)
    with pytest.raises(ValueError, match=why):
        Settings.from_env()


class Hanging(Paced):
    """Each of its probes hangs; the canary has nothing to probe."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, prompts.load())
        self.begun: Counter[str] = Counter()
        self.enough = asyncio.Event()

    def idle(self, arm: str, due: float) -> bool:
        return arm == "canary"

    async def probe(self, arm: str, turn: int) -> None:
        self.begun[arm] += 1
        await self.enough.wait()


async def test_more_than_may_be_in_flight_is_left_out_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    made, said = Hanging(Settings("http://127.0.0.1:1", "k", "m", rate_per_arm=500, at_once=3)), ""
    async with aiohttp.ClientSession() as session, asyncio.timeout(30):
        running = asyncio.create_task(made.run(session))
        while said.count("\n") < 5:
            await asyncio.sleep(0.005)
            said += capsys.readouterr().err
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running

    told = json.loads(said.splitlines()[0])
    assert (told["event"], told["arm"], told["in_flight"]) == ("probe left out", "stable", 3)
    assert made.begun == {"stable": 3}


def test_three_of_four_probes_are_streamed_and_every_prompt_is_asked_both_ways() -> None:
    made = Hanging(Settings("", "k", "m"))
    drawn = [made.drawn(turn) for turn in range(4 * len(made.golden))]

    assert Counter(stream for _, stream in drawn) == {True: 3 * len(made.golden), False: len(made.golden)}
    assert len({(golden.id, stream) for golden, stream in drawn}) == 2 * len(made.golden)
