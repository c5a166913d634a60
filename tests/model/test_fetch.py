import concurrent.futures
import http.server
import resource
import shutil
import subprocess
import sys
import threading
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from model import fetch, pin, serve

CONTENT = {"config.json": b"{}\n", "sub dir/weights.bin": bytes(range(256)) * 1000}


class Store(http.server.ThreadingHTTPServer):
    """Serves CONTENT in ranges; cuts the first replies off after so many bytes."""

    cuts: list[int]
    asked: list[str]
    content: dict[str, bytes]


class Handler(http.server.BaseHTTPRequestHandler):
    server: Store

    def do_GET(self) -> None:
        name = self.path.removeprefix("/bucket/model/").replace("%20", " ")
        asked = self.headers.get("range", "")
        self.server.asked.append(f"{name} {asked}".strip())
        if name not in self.server.content:
            self.send_error(404)
            return
        body = self.server.content[name]
        start = int(asked.removeprefix("bytes=").removesuffix("-") or 0)
        if asked and start >= len(body):
            self.send_error(416)
            return
        self.send_response(206 if asked else 200)
        self.send_header("content-length", str(len(body) - start))
        self.end_headers()
        whole = body[start:]
        cut = self.server.cuts.pop(0) if self.server.cuts and len(whole) > 10 else len(whole)
        self.wfile.write(whole[:cut])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def store() -> Iterator[Store]:
    server = Store(("127.0.0.1", 0), Handler)
    server.cuts, server.asked, server.content = [], [], dict(CONTENT)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def pinned(store: Store, tmp_path: Path) -> pin.Pin:
    folder = tmp_path / "source"
    for name, content in CONTENT.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    made = pin.of(folder, tmp_path / "model.yaml", id="x/y", revision="r1", served_name="y")
    return replace(made, source=f"http://127.0.0.1:{store.server_port}/bucket/model")


def fetched(pinned: pin.Pin, cache: Path, **env: str) -> Path:
    return fetch.fetched(pinned, cache, env, lambda line: None)


def test_a_model_is_fetched_once_for_all(pinned: pin.Pin, store: Store, tmp_path: Path) -> None:
    place = fetched(pinned, tmp_path / "cache")
    pin.verify(pinned, place)
    assert place == tmp_path / "cache" / pinned.sha256
    before = len(store.asked)
    assert fetched(pinned, tmp_path / "cache") == place
    assert len(store.asked) == before


def test_a_cut_connection_is_resumed_where_it_was_cut(pinned: pin.Pin, store: Store, tmp_path: Path) -> None:
    store.cuts = [70_000, 30_000]
    pin.verify(pinned, fetched(pinned, tmp_path / "cache"))
    assert store.asked[1:] == [
        "sub dir/weights.bin",
        "sub dir/weights.bin bytes=70000-",
        "sub dir/weights.bin bytes=100000-",
    ]


def test_after_too_many_cuts_nothing_half_is_there_and_the_next_start_goes_on(
    pinned: pin.Pin, store: Store, tmp_path: Path
) -> None:
    store.cuts = [1000, 1000, 1000]
    with pytest.raises(fetch.FetchError, match=r"weights\.bin: ended at 3000 of 256000 bytes"):
        fetched(pinned, tmp_path / "cache")
    assert not (tmp_path / "cache" / pinned.sha256).exists()
    pin.verify(pinned, fetched(pinned, tmp_path / "cache"))
    assert store.asked[-1] == "sub dir/weights.bin bytes=3000-"


def test_other_content_is_refused_and_thrown_away(pinned: pin.Pin, store: Store, tmp_path: Path) -> None:
    store.content["config.json"] = b"[]\n"
    with pytest.raises(fetch.FetchError, match=r"config\.json: its content is not the pinned"):
        fetched(pinned, tmp_path / "cache")
    assert [file.suffix for file in (tmp_path / "cache").rglob("*") if file.is_file()] == [".lock"]


def test_pods_that_start_together_fetch_once(pinned: pin.Pin, store: Store, tmp_path: Path) -> None:
    with concurrent.futures.ThreadPoolExecutor(4) as pods:
        places = list(pods.map(lambda _: fetched(pinned, tmp_path / "cache"), range(4)))
    pin.verify(pinned, places[0])
    assert len(store.asked) == len(CONTENT)


def test_a_full_disk_is_one_line_and_leaves_nothing_in_its_place(
    pinned: pin.Pin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")(1, 1, 100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(fetch.FetchError, match="the disk is too full: make room"):
        fetched(pinned, tmp_path / "cache")
    assert not (tmp_path / "cache" / pinned.sha256).exists()


def test_a_disk_that_fills_up_while_it_writes_ends_the_command_and_the_next_one_goes_on(
    pinned: pin.Pin, store: Store, tmp_path: Path
) -> None:
    pin.save(pinned, file := tmp_path / "model.yaml")
    command = [Path(sys.executable).parent / "sluice", "model", "fetch", file, "--cache", tmp_path / "cache"]
    most = (100_000, 100_000)  # bytes that may be written to a file, in place of those that a disk has left
    done = subprocess.run(
        command, capture_output=True, text=True, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, most)
    )
    assert (done.returncode, done.stderr.count("\n")) == (26, 1)
    assert "make room" in done.stderr
    assert not (tmp_path / "cache" / pinned.sha256).exists()
    assert subprocess.run(command, capture_output=True).returncode == 0
    assert store.asked[-1] == "sub dir/weights.bin bytes=100000-"


def test_a_file_that_is_not_there_is_named_with_its_status(pinned: pin.Pin, store: Store, tmp_path: Path) -> None:
    del store.content["config.json"]
    with pytest.raises(fetch.FetchError, match=r"config\.json: status 404"):
        fetched(pinned, tmp_path / "cache")


@pytest.mark.parametrize(
    ("source", "env", "url"),
    [
        ("https://host/a/", {}, "https://host/a"),
        ("s3://bucket/model", {"AWS_ENDPOINT_URL": "http://minio:9000/"}, "http://minio:9000/bucket/model"),
        ("hub:owner/name", {}, "https://huggingface.co/owner/name/resolve/r1"),
        ("hub:owner/name", {"HF_ENDPOINT": "http://mirror"}, "http://mirror/owner/name/resolve/r1"),
    ],
)
def test_a_source_is_a_folder_behind_a_url(source: str, env: dict[str, str], url: str) -> None:
    assert fetch.base(source, "r1", env) == url


def test_an_unknown_source_is_refused() -> None:
    with pytest.raises(fetch.FetchError, match="correct the pin"):
        fetch.base("ftp://host/a", "r1", {})


def test_the_engine_starts_on_a_model_that_it_fetched(pinned: pin.Pin, tmp_path: Path) -> None:
    file = tmp_path / "model.yaml"
    pin.save(pinned, file)
    found, folder = serve.verified(file, {"SLUICE_MODEL_CACHE": str(tmp_path / "cache")})
    assert (found, folder) == (pinned, tmp_path / "cache" / pinned.sha256)
    (folder / "config.json").write_text("[]")
    with pytest.raises(pin.PinError, match=r"config\.json"):
        serve.verified(file, {"SLUICE_MODEL_CACHE": str(tmp_path / "cache")})
