import json
from typing import Any

import pytest

from perf import user
from perf.mix import Prompt
from perf.sample import Sample
from tests.perf.clock import FRAMES, Clock, Server, installed

PROMPT = Prompt("chat", "en", [{"role": "user", "content": "hello"}], 2)


def asked(monkeypatch: pytest.MonkeyPatch, way: str, **server: Any) -> Sample:
    clock = Clock()
    installed(monkeypatch, clock, Server(clock, **server))
    sample = Sample("one", "chat", "en", intended=0.5)
    clock.now += 0.502  # the tool itself is 2 ms late
    getattr(user.Client("http://one", "m"), way)(PROMPT, sample, 1000.0)
    return sample


def test_a_stream_is_measured_from_the_intended_start(monkeypatch: pytest.MonkeyPatch) -> None:
    found = asked(monkeypatch, "streamed")

    assert found.sent == pytest.approx(0.002)
    assert found.first == pytest.approx(0.012)
    assert (found.tokens, found.outcome, len(found.gaps)) == (2, "ok", 1)


@pytest.mark.parametrize(
    ("server", "outcome"),
    [
        ({"status": 503}, "http_503"),
        ({"frames": FRAMES[:2]}, "stream_truncated"),
        ({"frames": (*FRAMES[:1], b'data: {"error": {"message": "no"}}\n\n', FRAMES[3])}, "stream_error"),
    ],
)
def test_a_failure_has_its_class(monkeypatch: pytest.MonkeyPatch, server: dict[str, Any], outcome: str) -> None:
    assert asked(monkeypatch, "streamed", **server).outcome == outcome


def test_predict_is_asked_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, "predicted", frames=[json.dumps({"tokens": 7}).encode()]).tokens == 7
    assert asked(monkeypatch, "predicted", status=429).outcome == "http_429"


@pytest.mark.parametrize(
    ("given", "tokens"), [(3, 3), ({"in": 1, "out": 4}, 4), ({"completion": 5}, 5), (None, 0), ("x", 0)]
)
def test_tokens_are_read_as_a_number_or_by_direction(given: Any, tokens: int) -> None:
    assert user.tokens_of(given) == tokens


def test_locust_gets_a_row_for_every_figure_and_an_exception_for_a_failure() -> None:
    good = Sample("one", "chat", "en", 0.0, first=0.1, last=0.5, end=0.6, tokens=5, gaps=[0.3, 0.1])

    assert dict(user.figures(good)) == {"TTFT": 0.1, "TPOT": pytest.approx(0.1), "ITL max": 0.3}
    assert user.entry("chat", "e2e", 0.6, good, 5)["response_time"] == pytest.approx(600)
    assert user.entry("chat", "e2e", 0.6, good)["exception"] is None
    bad = Sample("one", "chat", "en", 0.0, outcome="http_500")
    assert str(user.entry("chat", "e2e", 0.6, bad)["exception"]) == "http_500"
