from typing import Any

import pytest

from perf import gate
from perf.errors import Failed, Invalid, Unsure

GOOD: dict[str, Any] = {
    "valid": True,
    "doubts": [],
    "verdict": "pass",
    "metric": "ttft_p50",
    "ratio": 1.0,
    "floors": [],
}
MISSED = {"name": "tokens/s on NVIDIA L4", "reached": 700.0, "needed": 900, "verdict": "fail"}


def test_a_pass_raises_nothing() -> None:
    gate.verdict(GOOD)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"valid": False, "doubts": ["requests left late"]}, Invalid, "requests left late"),
        ({"verdict": "fail", "ratio": 0.7}, Failed, "ttft_p50 at 0.700 of the live release's"),
        ({"verdict": "unsure"}, Unsure, "more time with --windows"),
        ({"verdict": "fail", "floors": [MISSED]}, Failed, "tokens/s on NVIDIA L4 700.00, needed 900"),
        (
            {"proof": {"passed": 19, "windows": [{}] * 20, "quota": 0.7, "held": {"verdict": "pass"}, "proven": False}},
            Failed,
            "not proven",
        ),
    ],
)
def test_whatever_is_no_pass_has_its_own_error(change: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        gate.verdict({**GOOD, **change})


@pytest.mark.parametrize("given", [["--windows", "0"], ["--pairs", "1"]])
def test_too_little_to_judge_by_is_refused(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert gate.main(["--candidate", "v1.0.0", *given]) == 5
    assert capsys.readouterr().err.count("\n") == 1
