import base64
from collections.abc import Callable
from typing import Any

import pytest

from quality.prompts import load
from release.cluster import Cluster
from release.errors import Refused, Unreachable
from release.report import Sample
from release.samples import cell, table, taken, through
from tests.release.conftest import NAMESPACE, Scripted

SECRET = f"/api/v1/namespaces/{NAMESPACE}/secrets/llm-probe"
PROXY = f"/api/v1/namespaces/{NAMESPACE}/services/llm-gateway:8080/proxy/v1"
CHAT, TEXT = f"{PROXY}/chat/completions", f"{PROXY}/completions"


@pytest.fixture
def gateway(api: Scripted) -> Scripted:
    """Behind the API server, as everything that a workflow may reach is."""
    key = base64.b64encode(b"probe-key").decode()
    api.on("GET", SECRET, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "data": {"key": key}})
    return api


def test_twenty_prompts_are_asked_of_both_arms_as_probes(cluster: Cluster, gateway: Scripted) -> None:
    gateway.on("POST", CHAT, {"choices": [{"message": {"content": "said"}}]})
    gateway.on("POST", TEXT, {"choices": [{"text": "said"}]})
    found = taken(through(cluster, "", "llm"))
    assert [one.id for one in found] == [golden.id for golden in load()[:20]]
    assert len(found) == 20
    assert {(one.stable, one.canary) for one in found} == {("said", "said")}
    asked = gateway.heard("POST")
    assert sorted(one["headers"]["x-sluice-arm"] for one in asked) == ["canary"] * 20 + ["stable"] * 20
    assert {one["headers"]["x-sluice-probe"] for one in asked} == {"probe-key"}
    assert {(one["body"]["temperature"], one["body"]["model"]) for one in asked} == {(0, "llm")}


def test_an_address_of_its_own_is_asked_instead(
    cluster: Cluster, gateway: Scripted, server: Callable[[], Scripted]
) -> None:
    other = server()
    for path in ("/v1/chat/completions", "/v1/completions"):
        other.on("POST", path, {"choices": [{"text": "from there"}]})
    assert taken(through(cluster, other.url, "llm"), 1)[0].stable == "from there"


def test_without_a_canary_there_is_nothing_to_compare(cluster: Cluster, gateway: Scripted) -> None:
    for path in (CHAT, TEXT):
        gateway.on("POST", path, {"error": {"code": "no_canary"}}, code=409)
    with pytest.raises(Refused, match="no canary to ask"):
        taken(through(cluster, "", "llm"))


@pytest.mark.parametrize(("code", "body"), [(503, {"error": {"message": "no engine"}}), (502, ["proxy"])])
def test_an_arm_that_does_not_answer_is_said(cluster: Cluster, gateway: Scripted, code: int, body: Any) -> None:
    for path in (CHAT, TEXT):
        gateway.on("POST", path, body, code=code)
    with pytest.raises(Unreachable, match=rf"gateway: {code} to .*(no engine|proxy)"):
        taken(through(cluster, "", "llm"), 1)


def test_what_differs_comes_first_side_by_side() -> None:
    text = table(
        [Sample(id="a", question="2+2?", stable="4", canary="4"), Sample(id="b", question="q", stable="x|y", canary="")]
    )
    rows = text.splitlines()
    assert rows[0] == "1 of 2 answers differ."
    assert rows[-2:] == ["| q | x\\|y | (empty) |", "| 2+2? | 4 | the same |"]


@pytest.mark.parametrize("text", ["a\nb", "| x |", "<img src=x>", "[a](javascript:b)", "`c`", "x" * 5000])
def test_an_answer_stays_within_its_cell_and_is_no_markup(text: str) -> None:
    found = cell(text)
    assert "\n" not in found
    assert len(found) <= 300
    for mark in "|<>[]`":
        assert found.count(mark) == found.count(f"\\{mark}")
