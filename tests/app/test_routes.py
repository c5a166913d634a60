import asyncio
import json
from typing import Any

import pytest


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
    assert (await door.get("/readyz"))[0] == 200

    door.gateway.draining = True
    assert (await door.get("/readyz"))[0] == 503
    assert (await door.get("/livez"))[0] == 200

    door.gateway.draining = False
    arms = canary(5)
    door.gateway.board.show(type(arms)(**{**vars(arms), "stable": ()}))
    assert (await door.get("/readyz"))[0] == 503


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
    door.gateway.settings.max_inflight = 1
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
