"""What /docs says, held against the running gateway by schemathesis: all checks, every endpoint, every response."""

import asyncio
import hashlib
import sys
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from app import call, errors
from app.description import STATUSES
from app.settings import Settings
from app.whole import EMBEDDINGS

SCHEMATHESIS = Path(sys.executable).parent / "schemathesis"
EXAMPLES, SEED, KEY = 5, 7, "the-key"


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


async def found(url: str, folder: Path, *more: str) -> tuple[int | None, str]:
    """What schemathesis says, and whether it is content."""
    command = [str(SCHEMATHESIS), "--config-file", "/dev/null", "run", f"{url}/openapi.json", "--checks", "all"]
    command += ["--seed", str(SEED), "--max-examples", str(EXAMPLES), "--no-color", "--generation-database", "none"]
    run = await asyncio.create_subprocess_exec(
        *command,
        *("-H", f"Authorization: Bearer {KEY}", *more),
        cwd=folder,  # where it keeps what it found, to try that first
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await run.communicate()
    return run.returncode, said.decode()


async def test_nothing_is_found(door: Any, strict: None, tmp_path: Path) -> None:
    code, said = await found(door.url, tmp_path)

    assert code == 0, said[said.find("= FAILURES") :]


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
