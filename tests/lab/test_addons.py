import json
from typing import Any

import pytest

from lab import addons, paths


@pytest.fixture
def applied(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[str, ...], str | None]]:
    calls: list[tuple[tuple[str, ...], str | None]] = []

    def kubectl(*arguments: Any, check: bool = True, stdin: str | None = None) -> str:
        calls.append((tuple(map(str, arguments)), stdin))
        return ""

    monkeypatch.setattr(addons, "kubectl", kubectl)
    return calls


def test_definitions_come_before_what_needs_them(applied: list[tuple[tuple[str, ...], str | None]]) -> None:
    addons.install()
    sources = [line[-1] for line, _ in applied if "-f" in line]

    assert sources[:2] == [str(path) for path in addons.CRDS]
    assert sources[-1] == str(paths.ROOT / "monitoring/notifications.yaml")


def test_argo_finds_token_and_address_of_the_labs_slack(applied: list[tuple[tuple[str, ...], str | None]]) -> None:
    addons.notifications()
    [secret] = [json.loads(stdin) for _, stdin in applied if stdin]

    assert secret["metadata"] == {"name": "argo-rollouts-notification-secret", "namespace": addons.ARGO_NAMESPACE}
    assert secret["stringData"]["slack-api-url"] == f"{paths.SLACK_INSIDE}/api/"
