import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lab import paths, registry
from lab.errors import NotReady


class Store(ThreadingHTTPServer):
    """As much of a registry as a push in one piece needs: it refuses a blob whose digest is not its content's."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}


class Handler(BaseHTTPRequestHandler):
    server: Store

    def do_HEAD(self) -> None:
        manifest = self.server.manifests.get(self.path.rpartition("/")[2])
        self.answer(404 if manifest is None else 200, manifest or b"")

    def do_POST(self) -> None:
        self.answer(202, b"")

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if "/manifests/" in self.path:
            known = self.server.blobs.keys()
            manifest = json.loads(content)
            complete = all(part["digest"] in known for part in [manifest["config"], *manifest["layers"]])
            self.server.manifests[self.path.rpartition("/")[2]] = content
            self.answer(201 if complete else 400, content)
            return
        named = self.path.rpartition("digest=")[2]
        self.server.blobs[named] = content
        self.answer(201 if named == registry.digest(content) else 400, b"")

    def answer(self, code: int, manifest: bytes) -> None:
        self.send_response(code)
        self.send_header("Location", f"http://{paths.REGISTRY}/v2/upload?state=x")
        self.send_header("Docker-Content-Digest", f"sha256:{hashlib.sha256(manifest).hexdigest()}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    server = Store()
    monkeypatch.setattr(paths, "REGISTRY", f"127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_what_was_pushed_is_found_by_its_tag(store: Store) -> None:
    assert registry.digest_of("lab/pause", "one") is None
    pushed = registry.push("lab/pause", "one", "pause", b"program")
    assert registry.digest_of("lab/pause", "one") == pushed


def test_the_image_starts_the_program_as_nobody(store: Store) -> None:
    registry.push("lab/pause", "one", "pause", b"program")
    manifest = json.loads(store.manifests["one"])
    config = json.loads(store.blobs[manifest["config"]["digest"]])
    assert config["config"] == {"Entrypoint": ["/pause"], "User": "65535:65535"}
    assert config["rootfs"]["diff_ids"] == [layer["digest"] for layer in manifest["layers"]]


def test_the_same_program_is_the_same_image(store: Store) -> None:
    first = registry.push("lab/pause", "one", "pause", b"program")
    assert registry.push("lab/pause", "two", "pause", b"program") == first
    assert registry.push("lab/pause", "three", "pause", b"another") != first


def test_no_registry_is_one_line_that_says_how_to_start_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "REGISTRY", "127.0.0.1:1")
    with pytest.raises(NotReady, match="make lab"):
        registry.digest_of("lab/pause", "one")
