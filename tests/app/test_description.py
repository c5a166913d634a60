"""What /docs says, held against the running gateway by schemathesis: all checks, every endpoint, every response."""

import asyncio
import hashlib
import itertools
import os
import random
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from app import call, errors
from app.description import OWN_ASKED, STATUSES
from app.settings import Settings
from app.whole import EMBEDDINGS

SCHEMATHESIS = Path(sys.executable).parent / "schemathesis"
EXAMPLES, SEED, KEY = 5, 7, "the-key"  # make app EXAMPLES=100 SEED=random looks further; the nightly does


def asked(env: Mapping[str, str]) -> tuple[int, int]:
    """How many examples of each operation, and from which seed."""
    seed = env.get("SEED") or SEED
    return int(env.get("EXAMPLES") or EXAMPLES), random.SystemRandom().randrange(2**32) if seed == "random" else int(
        seed
    )


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    path = tmp_path / "keys.yaml"
    path.write_text(f"keys: [{{name: a, sha256: '{hashlib.sha256(KEY.encode()).hexdigest()}'}}]")
    settings.keys_file, settings.max_body_bytes, settings.log_level = path, 1024 * 1024, "warning"
    patient = {"connect_seconds": 30, "first_token_seconds": 30, "idle_seconds": 30, "total_seconds": 60}
    settings = settings.model_copy(update=patient)  # a busy machine is no finding
    settings.database_url = f"sqlite:///{tmp_path}/feedback.db"
    return settings


@pytest.fixture
def strict(engine: Any) -> None:
    """It refuses, as engines do, what lacks the one field that it needs."""
    answered = engine.answered

    async def checked(request: web.Request) -> web.StreamResponse:
        if any(engine.asked[-1].get(name) for name in ("messages", "prompt", "input")):
            return await answered(request)
        return web.json_response({"error": {"message": "a field is missing", "code": 400}}, status=400)

    engine.answered = checked


NOTHING = Path("/dev/null")


async def found(
    url: str, folder: Path, *more: str, examples: int = EXAMPLES, seed: int = SEED, told: Path = NOTHING
) -> tuple[int | None, str]:
    """What schemathesis says, and whether it is content."""
    command = [str(SCHEMATHESIS), "--config-file", str(told), "run", f"{url}/openapi.json", "--checks", "all"]
    command += ["--seed", str(seed), "--max-examples", str(examples), "--no-color", "--generation-database", "none"]
    run = await asyncio.create_subprocess_exec(
        *command,
        *("-H", f"Authorization: Bearer {KEY}", *more),
        cwd=folder,  # where it keeps what it found, to try that first
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await run.communicate()
    return run.returncode, said.decode()


async def test_nothing_is_found(door: Any, strict: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    examples, seed = asked(os.environ)
    again = f"make app EXAMPLES={examples} SEED={seed}"
    if (examples, seed) != (EXAMPLES, SEED):  # said of a run that finds nothing too
        with capsys.disabled():
            sys.stdout.write(f"\nagain: {again}\n")
    code, said = await found(door.url, tmp_path, examples=examples, seed=seed)

    assert code == 0, f"{again}\n{said[said.find('= FAILURES') :]}"


def test_how_far_it_looks_is_the_environments_to_say() -> None:
    assert asked({}) == asked({"EXAMPLES": "", "SEED": ""}) == (EXAMPLES, SEED)
    assert asked({"EXAMPLES": "100", "SEED": "4711"}) == (100, 4711)
    assert len({asked({"SEED": "random"})[1] for _ in range(5)}) > 1


@pytest.mark.parametrize(
    ("module", "name", "planted", "says"),
    [
        (errors, "shaped", lambda *given: {"detail": "wrong"}, "violates schema"),
        (call, "valid", lambda model, document: model(prompt="a"), "Schema-violating request accepted"),
    ],
)
async def test_a_planted_fault_is_found(
    door: Any, strict: None, tmp_path: Path, monkeypatch: Any, module: Any, name: str, planted: Any, says: str
) -> None:
    monkeypatch.setattr(module, name, planted)
    code, said = await found(door.url, tmp_path, "--include-path", "/predict")

    assert code == 1
    assert says in said


AT_ODD_TIMES = """
[checks]
not_a_server_error.expected-statuses = ["2xx", "4xx", "500", "502", "503", "504"]
positive_data_acceptance.expected-statuses = ["2xx", "401", "404", "429", "5xx"]
"""
TROUBLES = {"good": 200, "busy": 429, "fault": 500, "500": 502, "lost": 503, "hang": 504}


def troubled(door: Any, engine: Any) -> None:
    """Each generation meets the next trouble: of the engine, which knows it by its mode, or of the gateway."""
    gateway, turns = door.gateway, itertools.cycle(TROUBLES)

    def spoil() -> None:
        engine.mode = trouble = next(turns)
        gateway.settings.first_token_seconds = gateway.settings.whole_seconds = 0.2 if trouble == "hang" else 30
        if trouble == "fault":
            raise RuntimeError("planted")
        if trouble == "lost":
            gateway.board.arms = None
        if trouble == "busy":
            gateway.slots.most = 0

    door.each_time(spoil)


def unsteady(recorder: Any) -> None:
    """Every other time the database is down."""
    knows, turns = recorder.knows, itertools.cycle([False, True])

    async def known(query: str) -> bool:
        if next(turns):
            raise OSError("planted")
        return bool(await knows(query))

    recorder.knows = known


def answered(door: Any, path: str) -> set[int]:
    """The statuses that went out."""
    samples = (one for metric in door.gateway.metrics.http.collect() for one in metric.samples)
    return {int(one.labels["status"]) for one in samples if one.labels["handler"] == path and one.value}


async def test_nothing_is_found_while_engine_database_and_gateway_fail(
    door: Any, engine: Any, strict: None, tmp_path: Path
) -> None:
    (tmp_path / "told.toml").write_text(AT_ODD_TIMES)
    await door.post("/predict", {"prompt": "a"}, authorization=f"Bearer {KEY}", x_request_id="5f0c")
    troubled(door, engine)
    unsteady(door.gateway.recorder)
    some = ("--include-method", "POST", "--phases", "examples,fuzzing", "--mode", "positive")
    code, said = await found(door.url, tmp_path, *some, examples=12, told=tmp_path / "told.toml")

    assert code == 0, said[said.find("= FAILURES") :]
    for path in GENERATIONS:
        assert answered(door, path) >= set(TROUBLES.values()), path
    assert answered(door, "/feedback") >= {200, 503}


async def test_every_endpoint_shows_a_body_an_example_and_every_status(door: Any) -> None:
    document = await (await door.session.get(door.url + "/openapi.json")).json()
    asking = {path: methods["post"] for path, methods in document["paths"].items() if "post" in methods}

    assert asking.keys() == {
        "/v1/chat/completions",
        "/v1/completions",
        EMBEDDINGS,
        "/v1/responses",
        "/predict",
        "/feedback",
    }
    for path, one in asking.items():
        body = one["requestBody"]["content"]["application/json"]
        assert "schema" in body
        assert path not in OWN_ASKED or OWN_ASKED[path].keys() == body["schema"]["properties"].keys()
        assert "example" in body, path
        assert {"200", "400", "401", "404", "413", "500"} <= one["responses"].keys()
        for status, response in one["responses"].items():
            shown = response["content"]["application/json"]
            assert status == "200" or shown["schema"] == {"$ref": "#/components/schemas/Error"}
            assert status == "200" or shown["example"]["error"]["message"] == STATUSES[int(status)][1]
        assert one["security"] == [{"key": []}]


GENERATIONS = {"/v1/chat/completions", "/v1/completions", EMBEDDINGS, "/v1/responses", "/predict"}
ASKED = {"x-sluice-user", "x-sluice-region", "x-sluice-device", "x-sluice-profile", "x-request-id"}
READ = {"/v1/models", "/v1/models/{name}", "/livez", "/readyz", "/health", "/metrics"}
TOLD = {"x-sluice-version", "x-sluice-variant"}
TOLD_BY_ENGINES = TOLD | {"x-request-id", "x-sluice-arm", "x-sluice-step", "x-sluice-rescued"}


async def test_every_operation_shows_its_answers_and_the_headers_of_both_ways(door: Any) -> None:
    document = await (await door.session.get(door.url + "/openapi.json")).json()
    operations = [(path, one) for path, methods in document["paths"].items() for one in methods.values()]

    assert {path for path, _ in operations} == GENERATIONS | {"/feedback", *READ}
    for path, one in operations:
        for response in one["responses"].values():
            for shown in response["content"].values():
                assert "example" in shown, path
            assert response["headers"].keys() >= TOLD
        assert any("schema" in shown for shown in one["responses"]["200"]["content"].values())
        asked = {each["name"]: each for each in one["parameters"] if each["in"] == "header"}
        assert asked.keys() == (ASKED if path in GENERATIONS else {"x-sluice-user"} if path == "/feedback" else set())
        assert all({"example", "description"} <= each.keys() for each in asked.values())
        assert path not in GENERATIONS or one["responses"]["200"]["headers"].keys() == TOLD_BY_ENGINES
        busy = {"429", "503"} & one["responses"].keys()
        assert all("retry-after" in one["responses"][status]["headers"] for status in busy)


async def test_the_headers_that_are_described_are_those_that_come(door: Any, engine: Any) -> None:
    key = {"authorization": f"Bearer {KEY}"}
    _, good, _ = await door.post("/v1/completions", {"prompt": "a"}, **key)
    engine.mode = "500"
    _, bad, _ = await door.post("/v1/completions", {"prompt": "a"}, **key)
    door.gateway.slots.most = 0
    _, busy, _ = await door.post("/v1/completions", {"prompt": "a"}, **key)

    for said, least in (
        (good, TOLD_BY_ENGINES - {"x-sluice-rescued"}),
        (bad, TOLD | {"x-request-id", "x-sluice-outcome"}),
        (busy, TOLD | {"x-request-id", "x-sluice-outcome", "retry-after"}),
    ):
        assert least <= said.keys()


async def test_the_examples_of_what_is_the_same_for_all_are_what_is_answered(door: Any) -> None:
    document = await (await door.session.get(door.url + "/openapi.json")).json()
    for path in READ - {"/metrics"}:
        where = path.replace("{name}", "tiny")
        reply = await door.session.get(door.url + where, headers={"authorization": f"Bearer {KEY}"})
        shown = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
        assert await reply.json() == shown["example"]
