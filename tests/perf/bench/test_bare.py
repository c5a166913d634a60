from typing import Any

from perf.bench import bare


async def test_the_bare_half_of_a_server_reads_all_and_answers() -> None:
    pieces = iter([{"type": "http.request", "more_body": True}, {"type": "http.request", "more_body": False}])
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return next(pieces)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await bare.app({"type": "http"}, receive, send)

    assert next(pieces, None) is None
    assert [one["type"] for one in sent] == ["http.response.start", "http.response.body"]
    assert (b"content-length", b"%d" % len(sent[1]["body"])) in sent[0]["headers"]


async def test_the_bare_half_of_a_client_says_its_rate_and_what_a_request_cost_it(blank: int) -> None:
    found = await bare.loaded(f"http://127.0.0.1:{blank}/v1/chat/completions", 0.1, 2)

    assert found["rps"] > 0
    assert found["cpu_ms"] > 0
