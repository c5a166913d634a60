import asyncio
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from app import keys
from app.keys import shown
from app.settings import Settings

CHAT = "/v1/chat/completions"


def entry(key: str, name: str = "a", **more: Any) -> dict[str, Any]:
    return {"name": name, "sha256": hashlib.sha256(key.encode()).hexdigest(), **more}


def write(path: Path, *entries: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump({"keys": list(entries)}))
    return path


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    settings.keys_file = write(tmp_path / "keys.yaml", entry("good", concurrency=1))
    return settings


@pytest.mark.parametrize(
    ("shown", "status", "code"),
    [
        ({}, 401, "missing_api_key"),
        ({"authorization": "Bearer bad"}, 401, "invalid_api_key"),
        ({"authorization": "Basic good"}, 401, "missing_api_key"),
        ({"authorization": "Bearer good"}, 200, None),
        ({"authorization": "bearer good"}, 200, None),
        ({"x_sluice_probe": "probe-key"}, 200, None),
    ],
)
async def test_only_who_shows_a_known_key_comes_in(
    door: Any, engine: Any, shown: dict[str, str], status: int, code: str | None
) -> None:
    for path, body in ((CHAT, {"messages": [{"role": "user", "content": "a"}]}), ("/predict", {"prompt": "a"})):
        seen, _, said = await door.post(path, body, **shown)
        assert (seen, json.loads(said).get("error", {}).get("code")) == (status, code)
    assert len(engine.asked) == (2 if status == 200 else 0)


async def test_the_list_of_models_wants_a_key_and_health_does_not(door: Any) -> None:
    assert [(await door.get(path))[0] for path in ("/v1/models", "/v1/models/tiny", "/livez", "/readyz")] == [
        401,
        401,
        200,
        200,
    ]


async def test_a_keys_requests_at_once_are_limited(door: Any, engine: Any) -> None:
    engine.mode = "hang"
    first = asyncio.create_task(door.post(CHAT, {"stream": True}, authorization="Bearer good"))
    await asyncio.sleep(0.2)
    status, headers, body = await door.post(CHAT, {}, authorization="Bearer good")
    await first

    assert (status, json.loads(body)["error"]["code"]) == (429, "concurrency_exceeded")
    assert headers["retry-after"] == "1"
    engine.mode = "good"
    assert (await door.post(CHAT, {}, authorization="Bearer good"))[0] == 200


async def test_a_new_file_holds_without_a_restart_and_a_broken_one_changes_nothing(
    door: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings.keys_file is not None
    write(settings.keys_file, entry("next"))
    door.gateway.keys.reload()
    assert (await door.post(CHAT, {}, authorization="Bearer good"))[0] == 401
    assert (await door.post(CHAT, {}, authorization="Bearer next"))[0] == 200

    settings.keys_file.write_text("keys: [")
    door.gateway.keys.reload()
    assert (await door.post(CHAT, {}, authorization="Bearer next"))[0] == 200
    assert door.count("sluice_keys_file_broken") == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("keys: [", "not YAML"),
        ("keys: [{name: a, sha256: good}]", "keys.0.sha256"),
        ("keys: [{name: a, sha256: %s, rate: 5}]" % ("a" * 64), "keys.0.rate"),
        ("[]", "KeyFile"),
        ("keys: [{name: a, sha256: %s}, {name: a, sha256: %s}]" % ("a" * 64, "b" * 64), "twice"),  # noqa: UP031
    ],
)
def test_a_wrong_file_is_told_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "keys.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=says) as raised:
        keys.loaded(path)

    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_key_that_was_made_is_known(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "app.keys", "team"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    path = tmp_path / "keys.yaml"
    path.write_text("keys:\n" + done.stdout)
    key = done.stderr.rsplit(" ", 1)[1].strip()

    assert [one.name for one in keys.loaded(path).values()] == ["team"]
    assert hashlib.sha256(key.encode()).hexdigest() in keys.loaded(path)


@pytest.mark.parametrize(("more", "found"), [(b"", "Bearer Key"), (b"x-", ""), (b"a: b\r\n" * 1000, "")])
def test_the_key_of_a_request_is_found_before_it_is_read(more: bytes, found: str) -> None:
    assert shown(b"POST /predict HTTP/1.1\r\nhost: a\r\n" + more + b"Authorization:  Bearer Key \r\n\r\n{}") == found
