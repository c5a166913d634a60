from pathlib import Path
from typing import Any

import pytest

from perf import picture, stats
from perf.session import BASELINE, CANDIDATE, Knee, Measured

SLO = stats.Slo(1.0, 0.1)
RATIO = {"ratio": 1.01, "ci": [0.97, 1.05], "pairs": 8, "verdict": "pass"}
UNKNOWN = RATIO | {"ratio": float("nan"), "ci": [0.0, float("inf")]}
FOUND: dict[str, Any] = {
    "valid": True,
    "doubts": [],
    "verdict": "pass",
    "metrics": {"tokens_per_second": RATIO, "ttft_p50": RATIO},
    "bounds": {"tolerated": 0.95, "unacceptable": 0.85},
}


def steps(*labels: str) -> list[Measured]:
    def at(rate: float) -> stats.Figures:
        waits = {"p50": rate / 100, "p90": rate / 60, "p99": rate / 50}
        return stats.Figures(rate, 10, 10, {}, 100.0, None, waits, waits, waits, waits)

    return [Measured(label, "step", step, at(6 * 2**step)) for step in range(4) for label in labels]


@pytest.mark.parametrize(
    ("labels", "change"),
    [
        ((BASELINE, CANDIDATE), {}),
        ((CANDIDATE,), {"first_release": True, "metrics": {}}),
        (
            (BASELINE, CANDIDATE),
            {"metrics": {"tokens_per_second": RATIO | {"ratio": float("nan"), "ci": [0, float("inf")]}}},
        ),
    ],
)
@pytest.mark.parametrize("found", [True, False])
def test_a_picture_is_drawn_whatever_was_found(
    tmp_path: Path, labels: tuple[str, ...], change: dict[str, Any], found: bool
) -> None:
    file = tmp_path / "made" / "latency.png"
    picture.draw(steps(*labels), Knee(20, found=found), SLO, FOUND | change, file)

    assert file.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "PASS"),
        ({"verdict": "fail"}, "FAIL: the candidate is slower"),
        ({"verdict": "unsure"}, "UNSURE"),
        ({"first_release": True}, "PASS: a first release"),
        ({"valid": False, "doubts": ["requests left late"]}, "NOT VALID: requests left late"),
        ({"proof": {"passed": 19, "windows": [{}] * 20}}, "19 of 20 windows"),
    ],
)
def test_the_headline_is_the_verdict(change: dict[str, Any], said: str) -> None:
    assert said in picture.headline(FOUND | change)
    assert (picture.tint(FOUND | change) == picture.GOOD) == (said.startswith("PASS") or "windows" in said)
