import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import docker  # type: ignore[import-untyped]
import pytest

from release import build
from release.build import Order
from release.errors import BuildFailed, Refused

ROOT = Path(__file__).parents[2]
DIGEST = "sha256:" + "d" * 64
SIZES = {"sha256:built": 112_000_000, "python:test": 100_000_000}


class Daemon(ThreadingHTTPServer):
    """Answers as dockerd does on a build and a push, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, dict[str, list[str]]]] = []
        self.build_events: list[dict[str, Any]] = [
            {"stream": "Step 1/2 : FROM python:test"},
            {"stream": "\n"},
            {"aux": {"ID": "sha256:built"}},
        ]
        self.push_events: list[dict[str, Any]] = [{"status": "Pushing"}, {"aux": {"Digest": DIGEST, "Tag": "v1.0.0"}}]


class Handler(BaseHTTPRequestHandler):
    server: Daemon
    protocol_version = "HTTP/1.1"  # chunks, as dockerd sends them

    def do_GET(self) -> None:
        name = unquote(urlsplit(self.path).path).split("/images/")[-1].removesuffix("/json")
        if name in SIZES:
            self.answer([{"Size": SIZES[name]}])
        else:
            self.answer([{"message": f"no such image: {name}"}], 404)

    def do_POST(self) -> None:
        self.body()
        address = urlsplit(self.path)
        self.server.asked.append((unquote(address.path), parse_qs(address.query)))
        if address.path.endswith("/build"):
            self.answer(self.server.build_events)
        elif address.path.endswith("/push"):
            self.answer(self.server.push_events)
        else:
            self.answer([], 201)

    def body(self) -> None:
        if length := self.headers.get("Content-Length"):
            self.rfile.read(int(length))
            return
        while size := int(self.rfile.readline(), 16):
            self.rfile.read(size + 2)
        self.rfile.readline()

    def answer(self, events: list[dict[str, Any]], code: int = 200) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in [json.dumps(event).encode() + b"\r\n" for event in events] + [b""]:
            self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    server = Daemon()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def client(daemon: Daemon) -> Iterator[Any]:
    found = docker.DockerClient(base_url=f"tcp://127.0.0.1:{daemon.server_port}", version="1.41")
    yield found
    found.close()


def order(target: str = "gateway", **given: Any) -> Order:
    bases = {"PYTHON_BASE": "python:test", "ENGINE_BASE": "python:test"}
    return Order(target, "registry.example/sluice", "v1.0.0", "c0ffee", ROOT, bases, **given)


def test_an_image_is_named_by_the_digest_that_the_registry_gave(client: Any, daemon: Daemon) -> None:
    image = build.make(client, order(), lambda _: None)
    assert image.reference == f"registry.example/sluice/gateway@{DIGEST}"
    assert (image.size_mb, image.added_mb) == (112.0, 12.0)


def test_the_build_is_told_target_version_commit_and_bases(client: Any, daemon: Daemon) -> None:
    build.make(client, order("engine"), lambda _: None)
    query = daemon.asked[0][1]
    arguments = json.loads(query["buildargs"][0])
    assert query["target"] == ["engine"]
    assert arguments == {
        "VERSION": "v1.0.0",
        "COMMIT": "c0ffee",
        "PYTHON_BASE": "python:test",
        "ENGINE_BASE": "python:test",
    }


def test_buildkit_builds_where_docker_is_told_so(client: Any, daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []

    def built(archive: Any, arguments: list[str], target: str, say: Any) -> str:
        given.extend([*arguments, target])
        return "sha256:built"

    monkeypatch.setenv("DOCKER_BUILDKIT", "1")
    monkeypatch.setattr(build.buildkit, "build", built)

    assert build.make(client, order(), lambda _: None).reference.endswith(DIGEST)
    assert given[0] == "--build-arg=VERSION=v1.0.0"
    assert given[-1] == "gateway"
    assert not [path for path, _ in daemon.asked if path.endswith("/build")]


def test_every_tag_is_pushed_and_without_one_the_version(client: Any, daemon: Daemon) -> None:
    build.make(client, order(tags=("edge", "nightly")), lambda _: None)
    build.make(client, order(), lambda _: None)
    pushed = [query["tag"][0] for path, query in daemon.asked if path.endswith("/push")]
    assert pushed == ["edge", "nightly", "v1.0.0"]


def test_an_engine_that_adds_more_than_its_limit_is_not_pushed(
    client: Any, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SIZES, "sha256:built", 151_000_000)
    with pytest.raises(Refused, match="adds 51 MB to its base, at most 50"):
        build.make(client, order("engine"), lambda _: None)
    assert not [path for path, _ in daemon.asked if path.endswith("/push")]


def test_a_failing_step_is_one_line_with_what_it_last_wrote(client: Any, daemon: Daemon) -> None:
    daemon.build_events[1:] = [{"stream": "no space left\n"}, {"error": "The command returned a non-zero code: 1"}]
    with pytest.raises(BuildFailed, match=r"building gateway failed: The command.*no space left") as caught:
        build.make(client, order(), lambda _: None)
    assert "\n" not in str(caught.value)


def test_a_refused_push_names_the_repository(client: Any, daemon: Daemon) -> None:
    daemon.push_events[:] = [{"error": "denied: no basic auth"}]
    with pytest.raises(BuildFailed, match=r"registry\.example/sluice/gateway failed: denied"):
        build.make(client, order(), lambda _: None)


def test_a_push_without_a_digest_is_a_failure() -> None:
    with pytest.raises(BuildFailed, match="without a digest"):
        build.pushed_digest([{"status": "Pushed"}], "r")


def test_steps_are_said_as_they_come(client: Any, daemon: Daemon) -> None:
    said: list[str] = []
    build.make(client, order(), said.append)
    assert said[0] == "gateway: Step 1/2 : FROM python:test"
    assert "gateway: 12.0 MB on top of python:test" in said


def test_without_a_given_base_it_is_the_one_of_the_dockerfile() -> None:
    bare = Order("engine", "r", "v1.0.0", "c", ROOT)
    assert build.base_of(bare).startswith("vllm/vllm-openai:v")


def test_no_daemon_is_one_line_that_names_the_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nowhere.sock")
    with pytest.raises(Refused, match=r"no docker daemon answers at unix:.*DOCKER_HOST"):
        build.connect()
