import threading
from collections.abc import Iterator, Mapping

import httpx2
import pytest

from lab.bell import PATH, Bell
from lab.errors import NotReady
from lab.runner import Ran

SAID = {"environment": "staging", "version": "v0.3.0", "verdict": "aborted", "reason": "bad-share failed"}
KNOWN = {"Authorization": "Bearer secret"}


def answer(inputs: Mapping[str, str]) -> Ran:
    return Ran("verdict", 0, inputs["reason"], 0.1)


@pytest.fixture
def bell() -> Iterator[Bell]:
    with Bell("secret", "token", answer) as made:
        yield made


def test_a_notification_starts_the_workflow_with_its_inputs(bell: Bell) -> None:
    told = httpx2.post(f"{bell.address}/x{PATH}", json={"ref": "main", "inputs": SAID}, headers=KNOWN)
    ring = bell.wait("staging", "v0.3.0", "aborted", 10)
    assert told.status_code == 204
    assert ring.ran is not None
    assert ring.ran.log == "bad-share failed"
    assert ring.seconds >= 0
    with pytest.raises(NotReady):  # an earlier verdict of the same kind is no news
        bell.wait("staging", "v0.3.0", "aborted", 0.01, since=ring.at + 1)


def test_a_gateways_promotion_is_not_taken_for_the_engines(bell: Bell) -> None:
    said = SAID | {"verdict": "promoted", "part": "gateway"}
    httpx2.post(f"{bell.address}{PATH}", json={"inputs": said}, headers=KNOWN)
    assert bell.wait("staging", "v0.3.0", "promoted", 10, part="gateway").ran is not None
    with pytest.raises(NotReady):
        bell.wait("staging", "v0.3.0", "promoted", 0.01)


def test_a_verdict_that_nobody_told_is_named(bell: Bell) -> None:
    httpx2.post(f"{bell.address}{PATH}", json={"inputs": SAID}, headers=KNOWN)
    with pytest.raises(NotReady, match=r"v0\.3\.0 was promoted; it told \[\('staging', 'v0\.3\.0', 'aborted'\)\]"):
        bell.wait("staging", "v0.3.0", "promoted", 0.01)


def test_strangers_and_nonsense_start_nothing_and_get_no_token(bell: Bell) -> None:
    codes = [
        httpx2.post(f"{bell.address}{PATH}", json={"inputs": SAID}).status_code,
        httpx2.post(f"{bell.address}/other", json={"inputs": SAID}, headers=KNOWN).status_code,
        httpx2.post(f"{bell.address}{PATH}", content=b"{", headers=KNOWN).status_code,
        httpx2.post(f"{bell.address}{PATH}", json={"inputs": []}, headers=KNOWN).status_code,
        httpx2.get(f"{bell.address}/token").status_code,
    ]
    assert codes == [404, 404, 422, 422, 404]
    assert bell.rings == []


def test_a_workflow_run_gets_its_token(bell: Bell) -> None:
    assert httpx2.get(f"{bell.address}/token?audience=sluice", headers=KNOWN).json() == {"value": "token"}


def test_only_verdicts_of_one_group_wait_for_each_other() -> None:
    """A gateway's promotion does not hold up the abort of its engine."""
    began, go_on = threading.Event(), threading.Event()

    def slow(inputs: Mapping[str, str]) -> Ran:
        if inputs.get("part") == "gateway":
            began.set()
            assert go_on.wait(10)
        return Ran("verdict", 0, "", 0.1)

    with Bell("secret", "token", slow) as bell:
        for said in (SAID | {"verdict": "promoted", "part": "gateway"}, SAID):
            httpx2.post(f"{bell.address}{PATH}", json={"inputs": said}, headers=KNOWN)
            assert began.wait(10)
        assert bell.wait("staging", "v0.3.0", "aborted", 10).ran is not None
        assert bell.rings[0].ran is None
        go_on.set()
        assert bell.wait("staging", "v0.3.0", "promoted", 10, part="gateway").ran is not None


def test_what_rings_meanwhile_is_answered_later() -> None:
    answered: list[str] = []
    with Bell("secret", "token", lambda inputs: answered.append(inputs["version"]) or answer(inputs)) as bell:
        with bell.later():
            httpx2.post(f"{bell.address}{PATH}", json={"inputs": SAID}, headers=KNOWN)
            with pytest.raises(NotReady):
                bell.wait("staging", "v0.3.0", "aborted", 0.2)
            assert (len(bell.rings), answered) == (1, [])
        assert bell.wait("staging", "v0.3.0", "aborted", 10).ran is not None
