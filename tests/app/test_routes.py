import asyncio
import json
from typing import Any

import pytest

from app.settings import Settings
from tests.app.conftest import opened


async def test_only_the_public_alias_is_listed(door: Any) -> None:
    status, body = await door.get("/v1/models")

    assert status == 200
    assert [one["id"] for one in json.loads(body)["data"]] == ["tiny"]
    assert (await door.get("/v1/models/tiny"))[0] == 200
    assert (await door.get("/v1/models/other"))[0] == 404


async def test_predict_answers_text_version_and_tokens(door: Any) -> None:
    status, _, body = await door.post("/predict", {"prompt": "hello", "max_new_tokens": 2}, x_request_id="q-1")

    found = json.loads(body)
    assert status == 200
    assert (found["text"], found["tokens"], found["query_id"]) == ("two words", 2, "q-1")
    assert found["latency_seconds"] > 0
    assert door.outcomes() == {"ok": 1}


@pytest.mark.parametrize("body", [{}, {"prompt": ""}, {"prompt": "a", "max_new_tokens": 10**9}])
async def test_a_bad_prompt_is_refused_in_openais_shape(door: Any, body: dict[str, Any]) -> None:
    status, _, said = await door.post("/predict", body)

    assert status == 422
    assert json.loads(said)["error"]["type"] == "invalid_request_error"


async def test_predict_says_that_the_engine_failed(door: Any, engine: Any) -> None:
    engine.mode = "500"

    status, headers, _ = await door.post("/predict", {"prompt": "hello"})

    assert (status, headers["x-sluice-outcome"]) == (502, "upstream_5xx")
    assert door.outcomes() == {"upstream_5xx": 1}


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nope", 404), ("DELETE", "/predict", 405)])
async def test_unknown_paths_and_methods_have_openais_shape(door: Any, method: str, path: str, status: int) -> None:
    async with door.session.request(method, door.url + path) as reply:
        assert reply.status == status
        assert "error" in await reply.json()


async def test_a_gateway_is_ready_while_stable_has_an_engine_and_it_does_not_drain(door: Any, canary: Any) -> None:
    assert [await door.get(path) for path in ("/readyz", "/health")] == [(200, b'{"status":"ok"}')] * 2

    door.gateway.draining = True
    for path in ("/readyz", "/health"):
        status, said = await door.get(path)
        assert (status, json.loads(said)["error"]["code"]) == (503, "shutting_down")
    assert (await door.get("/livez"))[0] == 200

    door.gateway.draining = False
    arms = canary(5)
    door.gateway.board.show(type(arms)(**{**vars(arms), "stable": ()}))
    status, said = await door.get("/readyz")
    assert (status, json.loads(said)["error"]["code"]) == (503, "not_ready")


async def test_metrics_are_counted_by_endpoint_and_status(door: Any) -> None:
    await door.post("/predict", {"prompt": "hello"})
    await door.get("/nope")

    _, text = await door.get("/metrics")

    assert b'http_requests_total{handler="/predict",method="POST",status="200"} 1.0' in text
    assert b'http_requests_total{handler="other",method="GET",status="404"} 1.0' in text
    assert b"model_latency_seconds_count 1.0" in text
    assert b"sluice_oldest_request_seconds" in text


async def test_above_the_limit_requests_are_sent_away_and_not_judged(door: Any, engine: Any) -> None:
    engine.mode = "hang"
    door.gateway.slots.most = 1
    first = asyncio.create_task(door.post("/v1/completions", {"prompt": "a", "stream": True}))
    await asyncio.sleep(0.1)

    status, headers, _ = await door.post("/v1/completions", {"prompt": "a"})
    await first

    assert (status, headers["retry-after"]) == (429, "1")
    assert door.outcomes() == {"rejected": 1, "timeout_ttft": 1}


async def test_a_prompt_stands_in_no_metric(door: Any) -> None:
    await door.post("/predict", {"prompt": "marker-4711"}, x_sluice_user="marker-user")

    assert b"marker" not in (await door.get("/metrics"))[1]


async def test_predicts_body_is_capped_too(door: Any, engine: Any) -> None:
    status, _, body = await door.post("/predict", {"prompt": "x" * 20_000})

    assert (status, json.loads(body)["error"]["code"]) == (413, "body_too_large")
    assert engine.asked == []


async def test_the_documentation_page_knows_the_endpoints(door: Any) -> None:
    assert (await door.get("/docs"))[0] == 200

    described = json.loads((await door.get("/openapi.json"))[1])
    fields = described["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert "/v1/chat/completions" in described["paths"]
    assert set(fields["properties"]) == {"prompt", "max_new_tokens"}


@pytest.mark.parametrize(("most", "usual"), [(16_000, 128), (50, 50)])
async def test_predict_may_ask_for_as_much_as_the_settings_say(
    settings: Settings, engine: Any, most: int, usual: int
) -> None:
    async with opened(settings.model_copy(update={"max_tokens": most})) as door:
        asked = [{}, {"max_new_tokens": most}, {"max_new_tokens": most + 1}]
        statuses = [(await door.post("/predict", {"prompt": "a"} | more))[0] for more in asked]
        described = json.loads((await door.get("/openapi.json"))[1])

    assert statuses == [200, 200, 422]
    assert [one["max_tokens"] for one in engine.asked] == [usual, most]
    body = described["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    tokens = body["properties"]["max_new_tokens"]
    assert (tokens["minimum"], tokens["maximum"], tokens["default"]) == (1, most, usual)


async def test_embeddings_are_relayed_and_counted(door: Any) -> None:
    status, _, body = await door.post("/v1/embeddings", {"model": "tiny", "input": "hello"})

    assert (status, json.loads(body)["data"][0]["embedding"]) == (200, [0.1, 0.2])
    assert door.outcomes() == {"ok": 1}
    assert door.count("sluice_tokens_total", direction="in") == 3


async def test_a_failed_embedding_is_the_engines(door: Any, engine: Any) -> None:
    engine.mode = "500"

    assert (await door.post("/v1/embeddings", {"input": "hello"}))[0] == 502


async def test_a_good_prediction_says_who_gave_it(door: Any) -> None:
    _, headers, _ = await door.post("/predict", {"prompt": "hello"}, x_request_id="r-1")

    assert (headers["x-request-id"], headers["x-sluice-arm"]) == ("r-1", "stable")


async def test_a_refused_prediction_is_counted_with_its_start(door: Any) -> None:
    await door.post("/predict", {"prompt": ""})

    assert door.outcomes() == {"client_4xx": 1}
    assert door.count("sluice_started_total") == 1


MARKER = "marker-4711"
EVERYWHERE = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": MARKER}]},
    "/v1/completions": {"prompt": MARKER},
    "/v1/embeddings": {"input": MARKER},
    "/v1/responses": {"input": MARKER},
    "/predict": {"prompt": MARKER},
}
WRONG = (
    {"n": MARKER},
    {"stop": [MARKER] * 99},
    {"model": MARKER},
    {"max_new_tokens": MARKER},
    {"messages": [{"content": [{"type": "image_url", "image_url": {"url": f"http://{MARKER}/"}}]}]},
)


@pytest.mark.parametrize("mode", ["good", "500", "400", "detail", "hang", "cut", "odd", "abort", "error"])
async def test_a_prompt_stands_in_no_metric_log_or_error(
    door: Any, engine: Any, canary: Any, mode: str, capfd: pytest.CaptureFixture[str], caplog: Any
) -> None:
    caplog.set_level("DEBUG")
    door.gateway.settings.whole_seconds = door.gateway.settings.first_token_seconds = 0.1
    door.gateway.board.show(canary(50))
    engine.mode = mode
    said = b""
    for path, body in EVERYWHERE.items():
        for more in ({}, {"stream": True}, *(WRONG if mode == "good" else ())):
            _, headers, answer = await door.post(path, {**body, **more}, x_sluice_user=MARKER)
            said += answer + str(headers).encode()

    out, err = capfd.readouterr()
    assert engine.asked
    for place in (said, (await door.get("/metrics"))[1], out.encode(), err.encode(), caplog.text.encode()):
        assert MARKER.encode() not in place
