from typing import Any

import pytest

from app.budget import Budget
from lab import rescues


def seen(monkeypatch: pytest.MonkeyPatch, tried: float | None, earned: float, gateways: int = 2) -> list[str]:
    def answer(query: str) -> list[dict[str, Any]]:
        if query.startswith("count by"):
            return [{"value": [1, "1"]}] * gateways
        value = tried if "rescues" in query else earned
        return [] if value is None else [{"value": [1, str(value)]}]

    monkeypatch.setattr(rescues, "prometheus_answer", answer)
    return rescues.faults("demo/llm-engine")


def test_within_the_budget_of_all_gateways_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    assert seen(monkeypatch, 100 + 2 * Budget.BURST, 1000) == []


def test_one_more_is_a_storm(monkeypatch: pytest.MonkeyPatch) -> None:
    (fault,) = seen(monkeypatch, 101 + 2 * Budget.BURST, 1000)
    assert fault == "stable was asked 121 times in the canary's place, the budget was 120"


@pytest.mark.parametrize(("count", "told"), [(3, 0), (0, 1), (None, 1)])
def test_what_fails_everywhere_must_have_failed_at_stable_too(
    monkeypatch: pytest.MonkeyPatch, count: int | None, told: int
) -> None:
    asked: list[str] = []

    def answer(query: str) -> list[dict[str, Any]]:
        asked.append(query)
        return [] if count is None else [{"value": [1, str(count)]}]

    monkeypatch.setattr(rescues, "prometheus_answer", answer)
    assert len(rescues.failed("demo/llm-engine")) == told
    assert 'rollout="demo/llm-engine", result="failed"' in asked[0]


@pytest.mark.parametrize("tried", [None, 0])
def test_a_run_without_any_rescue_proves_nothing(monkeypatch: pytest.MonkeyPatch, tried: float | None) -> None:
    assert seen(monkeypatch, tried, 1000) == ["no rescue was counted"]
