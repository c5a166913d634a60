import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from release.errors import Refused
from release.registry import address_of, require, scheme_of

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("image", "host", "repository"),
    [
        ("127.0.0.1:5000/sluice/engine", "127.0.0.1:5000", "sluice/engine"),
        ("ghcr.io/acme/llm/engine", "ghcr.io", "acme/llm/engine"),
        ("python", "registry-1.docker.io", "library/python"),
        ("vllm/vllm-openai", "registry-1.docker.io", "vllm/vllm-openai"),
    ],
)
def test_an_image_names_its_registry(image: str, host: str, repository: str) -> None:
    assert address_of(f"{image}@{DIGEST}") == (host, repository, DIGEST)


def test_only_a_registry_on_this_machine_is_asked_without_tls() -> None:
    assert [scheme_of(host) for host in ("127.0.0.1:5000", "localhost")] == ["http", "http"]
    assert [scheme_of(host) for host in ("ghcr.io", "127.0.0.1.evil.example")] == ["https", "https"]


def test_a_digest_that_is_there_passes(registry: Any) -> None:
    with httpx2.Client() as client:
        require(f"{registry.address}/sluice/engine@{DIGEST}", client)
    assert registry.paths("HEAD") == [f"/v2/sluice/engine/manifests/{DIGEST}"]


def test_a_digest_that_is_not_there_is_refused(registry: Any) -> None:
    with httpx2.Client() as client, pytest.raises(Refused, match="not in the registry; push it"):
        require(f"{registry.address}/sluice/engine@sha256:{'c' * 64}", client)


def test_a_registry_that_is_away_is_refused() -> None:
    with httpx2.Client() as client, pytest.raises(Refused, match="does not answer"):
        require(f"127.0.0.1:9/sluice/engine@{DIGEST}", client)


def test_a_token_is_fetched_with_the_login_that_docker_keeps(
    server: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = server()
    path = f"/v2/private/manifests/{DIGEST}"
    made.on("HEAD", path, {}, code=401, headers={"www-authenticate": f'Bearer realm="{made.url}/token",service="s"'})
    made.on("HEAD", path, {})
    made.on("GET", "/token", {"token": "abc"})
    login = base64.b64encode(b"me:secret").decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {made.address: {"auth": login}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with httpx2.Client() as client:
        require(f"{made.address}/private@{DIGEST}", client)
    assert made.heard("GET")[0]["headers"]["authorization"] == f"Basic {login}"
    assert made.heard("HEAD")[1]["headers"]["authorization"] == "Bearer abc"
