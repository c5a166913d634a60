"""What /docs says, held against the running gateway by schemathesis: all checks, every endpoint, every response."""

import asyncio
import hashlib
import os
import random
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from app import call, errors
from app.description import STATUSES
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


async def found(
    url: str, folder: Path, *more: str, examples: int = EXAMPLES, seed: int = SEED
) -> tuple[int | None, str]:
    """What schemathesis says, and whether it is content."""
    command = [str(SCHEMATHESIS), "--config-file", "/dev/null", "run", f"{url}/openapi.json", "--checks", "all"]
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
        assert "schema" in one["requestBody"]["content"]["application/json"]
        assert "example" in str(one["requestBody"]), path
        assert {"200", "400", "401", "404", "413"} <= one["responses"].keys()
        for status, response in one["responses"].items():
            shown = response["content"]["application/json"]
            assert status == "200" or shown["schema"] == {"$ref": "#/components/schemas/Error"}
            assert status == "200" or shown["example"]["error"]["message"] == STATUSES[int(status)][1]
        assert one["security"] == [{"key": []}]
