import re
from types import SimpleNamespace
from typing import Any

import pytest

from lab import mishaps
from lab.errors import NotReady
from lab.runner import Ran
from tests.lab.test_deliveries import place
from tests.release.team import Team


def test_staging_is_found_as_it_was_for_a_version(team: Team) -> None:
    team.releases("staging", "v0.1.0", "v0.2.0")
    assert "version: v0.1.0\n" in mishaps.at_version(place(team), "v0.1.0")
    with pytest.raises(NotReady, match=r"never had v9\.9\.9"):
        mishaps.at_version(place(team), "v9.9.9")


def test_a_change_of_pace_is_one_commit_of_one_file(team: Team) -> None:
    path, site = "environments/staging/values.yaml", place(team)
    site.office.commit = lambda message, files: team.push(message, files)
    with pytest.raises(NotReady, match="ratePerArm"):
        mishaps.changed(site, "staging")
    team.push("chore: pace", {path: "prober: {ratePerArm: 12}\n"})
    mishaps.changed(site, "staging")
    assert site.office.text(path) == "prober: {ratePerArm: 13}\n"


def test_helms_revisions_are_read_with_their_status(cluster: Any, api: Any) -> None:
    path = "/api/v1/namespaces/demo/secrets"
    labels = [{"version": "1", "status": "superseded"}, {"version": "2", "status": "pending-upgrade"}]
    api.on("GET", path, {"metadata": {}, "items": [{"metadata": {"name": "x", "labels": one}} for one in labels]})
    site: Any = SimpleNamespace(cluster=lambda environment: cluster)
    assert mishaps.revisions(site, "demo") == {1: "superseded", 2: "pending-upgrade"}
    [query] = [heard["query"] for asked, at, heard in api.asked if at == path]
    assert query["labelSelector"] == ["owner=helm,name=llm"]


AWAY = "sluice: r/gateway@sha256:1: registry r does not answer ([Errno 111] Connection refused); start it"


@pytest.mark.parametrize(
    ("said", "one"),
    [(AWAY, True), (f"{AWAY}\n{AWAY}", False), (f"Traceback\n{AWAY}", False), ("sluice: registry?", False)],
)
def test_a_refusal_is_one_line_that_says_what_to_do(said: str, one: bool) -> None:
    log = (
        f"make[1]: Entering directory '/x'\nsluice deploy staging\n{said}\nmake[1]: *** [Makefile:1: deploy] Error 5\n"
    )
    found = "; ".join(mishaps.told(Ran("deploy", 2, log, 1.0)))
    assert (re.fullmatch(mishaps.AWAY, found) is not None) is one


def test_two_deployments_meet_when_two_clones_have_asked_for_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    push = "git -C /clones/{} push --quiet origin abc:refs/sluice/lock/{}"
    seen = iter([[push.format(1, "prod")], [push.format(1, "staging")], [], [push.format(2, "staging")], []])
    monkeypatch.setattr(mishaps.process, "commands", lambda: next(seen))
    mishaps.meeting(2)
    assert next(seen) == []  # it has not stopped at the first clone, and asks no more after the second


def test_what_argo_switched_to_is_read_from_its_active_service(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        {"metadata": {"name": "llm-engine-canary"}, "spec": {"selector": {"rollouts-pod-template-hash": "new"}}},
        {"metadata": {"name": "llm-engine-stable"}, "spec": {"selector": {"rollouts-pod-template-hash": "old"}}},
    ]
    monkeypatch.setattr(mishaps, "listed", lambda kind, namespace: found)
    assert mishaps.active() == "old"
