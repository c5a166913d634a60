import json
from typing import Any

import pytest

from lab import programs, restores
from tests.lab.test_deliveries import place
from tests.release.team import Team

POD: dict[str, Any] = {
    "spec": {"volumes": [{"configMap": {"name": "llm-prompts-aaaaaaaaaa"}}, {"emptyDir": {}}]},
    "status": {
        "containerStatuses": [{"state": {"running": {"startedAt": "2026-01-01T00:00:02Z"}}}],
        "conditions": [
            {"type": "Initialized", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"},
            {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:39Z"},
        ],
    },
}
NOT_YET = {"type": "Ready", "status": "False", "lastTransitionTime": "2026-01-01T00:00:01Z"}


@pytest.fixture
def pods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "kubectl", lambda *words: json.dumps({"items": [POD]}))


@pytest.mark.usefixtures("pods")
def test_the_bare_start_counts_from_the_container_to_the_first_token() -> None:
    assert restores.bare_start("dev") == 37


def test_a_pod_that_is_not_ready_yet_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    early = POD | {"status": POD["status"] | {"conditions": [NOT_YET]}}
    seen = iter([early, POD])
    monkeypatch.setattr(programs, "kubectl", lambda *words: json.dumps({"items": [next(seen)]}))
    assert restores.bare_start("dev") == 37


@pytest.mark.usefixtures("pods")
def test_prompts_and_flags_count_only_when_the_pods_have_them(team: Team) -> None:
    site: Any = place(team)
    text = "release: {version: v1, prompts: {sha256: %s}, flags: {sha256: %s}}\n"
    team.push("chore: release", {"environments/dev/release.yaml": text % ("a" * 64, "a" * 64)})
    assert restores.carried(site, "dev") == {"hashes": {"prompts": "a" * 10, "flags": "a" * 10}, "mounted": True}
    team.push("chore: release", {"environments/dev/release.yaml": text % ("a" * 64, "b" * 64)})
    assert restores.carried(site, "dev")["mounted"] is False


def test_a_release_that_carries_nothing_does_not_count_as_carried(team: Team) -> None:
    found = restores.together("ten", "short")
    assert json.loads(found["environments/dev/flags.json"])["flags"]["variant"]["defaultVariant"] == "short"
    assert restores.together("ten", "on") != restores.together("three", "off")
