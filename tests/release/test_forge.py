"""Answers as GitHub's and Gitea's documentation gives them, cut to the keys that are read."""

from collections.abc import Callable
from typing import Any

import pytest

from release.errors import ForgeAway, Refused
from release.forge import Forge, Gitea, GitHub, connect
from tests.release.conftest import Scripted

ROOT = "/repos/ada/llm"


def pull(number: int = 7, head: str = "promote/prod/v1.0.0", **more: Any) -> dict[str, Any]:
    ends = {"head": {"ref": head, "sha": "abc"}, "base": {"ref": "main"}}
    words = {"html_url": f"http://forge/{number}", "title": "t", "body": None, "state": "open"}
    return {"number": number} | words | ends | more


@pytest.fixture
def answers(server: Callable[[], Scripted]) -> Scripted:
    return server()


@pytest.fixture(params=[GitHub, Gitea])
def forge(request: pytest.FixtureRequest, answers: Scripted) -> Forge:
    kind: type[GitHub] = request.param
    return kind(f"{answers.url}{ROOT}", "secret")


def bodies(answers: Scripted, method: str) -> list[tuple[str, Any]]:
    return [(path.removeprefix(ROOT), heard["body"]) for one, path, heard in answers.asked if one == method]


def test_an_open_pull_request_is_found_and_not_made_twice(forge: Forge, answers: Scripted) -> None:
    answers.on("GET", f"{ROOT}/pulls", [pull(6, "other"), pull(7)])
    assert forge.open("promote/prod/v1.0.0", "main", "t", "b").number == 7
    assert not bodies(answers, "POST")


def test_a_new_one_names_both_branches(forge: Forge, answers: Scripted) -> None:
    answers.on("GET", f"{ROOT}/pulls", [])
    answers.on("POST", f"{ROOT}/pulls", pull(8))
    assert forge.open("promote/prod/v1.0.0", "main", "t", "b").url == "http://forge/8"
    assert bodies(answers, "POST") == [
        ("/pulls", {"head": "promote/prod/v1.0.0", "base": "main", "title": "t", "body": "b"})
    ]


def review(who: str, state: str, commit: str = "abc") -> dict[str, Any]:
    return {"user": {"login": who}, "state": state, "commit_id": commit}


@pytest.mark.parametrize(
    ("reviews", "said"),
    [
        ([review("bea", "APPROVED")], ["bea"]),
        ([review("bea", "APPROVED", "older")], []),
        ([review("bea", "CHANGES_REQUESTED"), review("bea", "APPROVED")], ["bea"]),
        ([review("bea", "APPROVED"), review("cem", "REQUEST_CHANGES")], []),
        ([review("bea", "APPROVED"), review("bea", "DISMISSED")], []),
        ([review("bea", "APPROVED"), review("bea", "COMMENTED")], ["bea"]),
    ],
)
def test_a_persons_last_word_on_the_newest_commit_counts(
    forge: Forge, answers: Scripted, reviews: list[dict[str, Any]], said: list[str]
) -> None:
    answers.on("GET", f"{ROOT}/pulls/7", pull())
    answers.on("GET", f"{ROOT}/pulls/7/reviews", reviews)
    assert forge.approvers(7) == said


def test_what_differs_is_sent_as_each_documents_it(answers: Scripted) -> None:
    url = f"{answers.url}{ROOT}"
    answers.on("PUT", f"{ROOT}/pulls/7/merge", {"merged": True})
    answers.on("POST", f"{ROOT}/pulls/7/merge", {})
    answers.on("POST", f"{ROOT}/pulls/7/reviews", {})
    for one in (GitHub(url, "secret"), Gitea(url, "secret")):
        one.merge(7)
        one.approve(7, "yes")
    assert bodies(answers, "PUT") == [("/pulls/7/merge", {"merge_method": "squash"})]
    assert bodies(answers, "POST") == [
        ("/pulls/7/reviews", {"event": "APPROVE", "body": "yes"}),
        ("/pulls/7/merge", {"Do": "squash"}),
        ("/pulls/7/reviews", {"event": "APPROVED", "body": "yes"}),
    ]


def test_a_status_is_read_back_under_each_ones_key(answers: Scripted) -> None:
    answers.on("GET", f"{ROOT}/commits/abc/status", {"statuses": [{"context": "ci", "state": "success"}]})
    assert GitHub(f"{answers.url}{ROOT}", "").marks("abc") == {"ci": "success"}


def test_a_release_page_is_made_once(forge: Forge, answers: Scripted) -> None:
    answers.on("GET", f"{ROOT}/releases/tags/v1.0.0", {"id": 1})
    forge.publish("v1.0.0", "text")
    assert not bodies(answers, "POST")


def test_a_workflow_is_started_on_a_branch(forge: Forge, answers: Scripted) -> None:
    """Both document POST …/dispatches with 204 and no content."""
    answers.on("POST", f"{ROOT}/actions/workflows/ci.yml/dispatches", None, code=204)
    forge.start("ci.yml", "promote/prod/v1.0.0", {})
    assert bodies(answers, "POST") == [
        ("/actions/workflows/ci.yml/dispatches", {"ref": "promote/prod/v1.0.0", "inputs": {}})
    ]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (403, "Resource not accessible by integration"),  # GitHub: without actions: write
        (422, "Workflow does not have 'workflow_dispatch' trigger"),  # GitHub; Gitea: has no workflow_dispatch event
        (404, "Not Found"),  # either: no such workflow; Gitea also where the repository has no Actions
    ],
)
def test_a_workflow_that_is_not_started_is_a_refusal_in_one_line(
    forge: Forge, answers: Scripted, code: int, said: str
) -> None:
    answers.on("POST", f"{ROOT}/actions/workflows/ci.yml/dispatches", {"message": said}, code=code)
    with pytest.raises(Refused, match=f"{code}: {said}") as refusal:
        forge.start("ci.yml", "promote/prod/v1.0.0", {})
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("failures", [1, 2])
def test_giteas_own_row_of_a_tag_comes_between_once(answers: Scripted, failures: int) -> None:
    for code in (*[500] * failures, 201):
        answers.on("POST", f"{ROOT}/releases", {}, code=code)
    if failures == 1:
        Gitea(f"{answers.url}{ROOT}", "").publish("v1.0.0", "text")
    else:
        with pytest.raises(ForgeAway, match="500"):
            Gitea(f"{answers.url}{ROOT}", "").publish("v1.0.0", "text")

    assert len(bodies(answers, "POST")) == 2


def test_a_forge_that_is_away_is_another_error_than_a_refusal(forge: Forge, answers: Scripted) -> None:
    answers.on("GET", f"{ROOT}/pulls/7", {}, code=502)
    with pytest.raises(ForgeAway, match="502"):
        forge.pull(7)
    answers.on("GET", f"{ROOT}/pulls/8", {"message": "Must have admin rights"}, code=403)
    with pytest.raises(Refused, match="Must have admin rights"):
        forge.pull(8)
    with pytest.raises(ForgeAway, match="no answer"):
        GitHub("http://127.0.0.1:9/repos/a/b", "").pull(1)


def test_the_environment_says_which_forge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLUICE_FORGE", raising=False)
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    assert connect() is None
    monkeypatch.setenv("GITHUB_REPOSITORY", "ada/llm")
    assert type(connect()) is GitHub
    monkeypatch.setenv("SLUICE_FORGE", "http://127.0.0.1:3000/api/v1/repos/ada/llm")
    assert type(connect()) is Gitea
