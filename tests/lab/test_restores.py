import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from lab import programs, restores
from tests.lab.test_deliveries import place
from tests.release.team import Team

POD: dict[str, Any] = {
    "spec": {"volumes": [{"configMap": {"name": "llm-prompts-aaaaaaaaaa"}}, {"emptyDir": {}}]},
}


@pytest.fixture
def pods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "kubectl", lambda *words: json.dumps({"items": [POD]}))


class Answering:
    """A site whose users may ask, and an API server that makes a pod and says in turn how it is."""

    def __init__(self, *states: str) -> None:
        self.states, self.asking, self.did = list(states), False, list[tuple[str, ...]]()
        self.serving = [["old", "new"], ["new"]]

    def engines(self, _: str) -> list[str]:
        return self.serving.pop(0)

    @contextlib.contextmanager
    def users(self, _: str) -> Iterator[None]:
        self.asking = True
        yield
        self.asking = False

    def kubectl(self, *words: str, stdin: str = "") -> str:
        self.did.append(words[:2])
        if words[:2] == ("get", "replicasets"):
            specs = [{"containers": [{"image": image}]} for image in ("old", "new")]
            return json.dumps({"items": [{"spec": {"template": {"spec": spec}}} for spec in specs]})
        if words[0] == "create":
            assert json.loads(stdin)["spec"] == {"containers": [{"image": "new"}]}
            assert "labels" not in json.loads(stdin)["metadata"]  # no Service may choose it
        assert self.asking
        state = {"type": "Ready", "status": self.states.pop(0)} if words[0] == "get" else {}
        return json.dumps({"items": [{"status": {"conditions": [state]}}]})


def test_the_bare_start_is_that_of_a_pod_made_by_hand_while_users_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    server: Any = Answering("False", "True")
    monkeypatch.setattr(programs, "kubectl", server.kubectl)
    monkeypatch.setattr(restores, "kubectl", server.kubectl)

    assert 0 < restores.bare_start(server, "dev", "new") < 30
    assert server.states == server.serving == []
    assert server.did[-1] == ("delete", "pod")


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
