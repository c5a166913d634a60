import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import pytest

from lab import images, paths, releases
from lab.errors import Refused
from lab.stage import Images

PINNED = images.REQUIREMENTS.read_text()


def test_a_recipe_names_its_image_and_a_change_names_another() -> None:
    assert str(images.named("python", b"a")) == str(images.named("python", b"a"))
    assert images.named("python", b"a").tag != images.named("python", b"b").tag
    assert str(images.named("python", b"a")).startswith(f"{paths.REGISTRY}/sluice-lab/python:")


def test_the_engine_is_made_anew_when_its_python_base_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = images.engine_name()
    shutil.copytree(images.BASES, tmp_path / "bases")
    with (tmp_path / "bases/python.sh").open("a") as script:
        script.write("true\n")
    monkeypatch.setattr(images, "BASES", tmp_path / "bases")
    assert images.engine_name().tag != before.tag


def test_the_installer_is_the_one_that_the_dockerfile_pins() -> None:
    assert f"ARG UV={images.uv_version()}\n" in images.DOCKERFILE.read_text()


def test_a_dockerfile_without_the_installers_version_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "DOCKERFILE", tmp_path / "Dockerfile")
    images.DOCKERFILE.write_text("FROM scratch\n")
    with pytest.raises(Refused, match="ARG UV="):
        images.uv_version()


def test_every_pinned_package_goes_to_exactly_one_layer() -> None:
    pins = re.findall(r"(?m)^[a-z0-9][^ ]*==\S+", PINNED)
    layers = [re.findall(r"(?m)^[a-z0-9][^ ]*==\S+", text) for text in images.parts(PINNED).values()]
    assert sorted(pin for layer in layers for pin in layer) == sorted(pins)
    assert all(layers)


def test_every_package_is_pinned_with_a_hash_and_from_no_named_registry() -> None:
    blocks = [text for text in re.split(r"\n(?=[a-z0-9])", PINNED) if not text.startswith("#")]
    assert len(blocks) > 100
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in PINNED


def test_the_lab_runs_the_version_that_the_extra_names() -> None:
    asked = re.search(r'engine = \["vllm==([\d.]+)"\]', (paths.ROOT / "pyproject.toml").read_text())
    assert asked is not None
    assert f"\nvllm-cpu=={asked.group(1)} " in PINNED
    base = re.search(
        r"^ARG ENGINE_BASE=vllm/vllm-openai:v(\S+?)(@sha256:[0-9a-f]{64})?$", images.DOCKERFILE.read_text(), re.M
    )
    assert base is not None
    assert base.group(1) == asked.group(1)


@pytest.mark.parametrize("script", ["python.sh", "engine.sh"])
def test_a_recipe_stops_at_its_first_failure(script: str) -> None:
    text = (images.BASES / script).read_text()
    assert "\nset -eu\n" in text
    subprocess.run(["sh", "-n", str(images.BASES / script)], check=True)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is missing")
def test_the_sandbox_program_waits_and_ends_when_asked(tmp_path: Path) -> None:
    program = tmp_path / "pause"
    subprocess.run(["gcc", "-Wall", "-Werror", "-static", str(images.PAUSE), "-o", str(program)], check=True)
    with subprocess.Popen([str(program)]) as running:
        with pytest.raises(subprocess.TimeoutExpired):
            running.wait(timeout=0.3)
        running.terminate()
        assert running.wait(timeout=5) == 0


def test_too_little_disk_is_said_before_anything_is_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "CACHE", tmp_path)
    monkeypatch.setattr(images, "FREE_GIB", 10**9)
    with pytest.raises(Refused, match="GiB are free"):
        images.make_engine(None, images.engine_name(), lambda _: None)
    assert not list(tmp_path.iterdir())


class Daemon:
    """As much of a docker client's `api` as a derived image needs."""

    def __init__(self) -> None:
        self.dockerfile, self.tagged = "", ("", "")

    def build(self, fileobj: IO[bytes], **_: Any) -> Iterator[dict[str, Any]]:
        with tarfile.open(fileobj=fileobj) as tar:
            content = tar.extractfile("Dockerfile")
            self.dockerfile = content.read().decode() if content else ""
        return iter([{"aux": {"ID": "sha256:built"}}])

    def tag(self, image: str, repository: str, tag: str, force: bool) -> None:
        self.tagged = repository, tag

    def push(self, repository: str, tag: str, **_: Any) -> Iterator[dict[str, Any]]:
        return iter([{"aux": {"Digest": "sha256:" + "d" * 64}}])


@pytest.mark.parametrize(
    ("kind", "lines", "name"),
    [
        ("good", ["FROM g@sha256:1", "LABEL sluice.lab=next"], "gateway-good"),
        (
            "http_500",
            ["FROM l@sha256:2", "ENV SLUICE_LAB_FAULT=http_500", 'ENTRYPOINT ["python3", "-m", "lab.door"]'],
            "gateway-http-500",
        ),
    ],
)
def test_only_a_gateway_with_a_fault_holds_the_labs_code(kind: str, lines: list[str], name: str) -> None:
    daemon, before = Daemon(), Images("g@sha256:1", "e", "l@sha256:2", {})
    made = releases.Yard(SimpleNamespace(api=daemon), lambda _: None).gateway(before, kind)
    assert daemon.dockerfile.splitlines() == lines
    assert made == f"{paths.REGISTRY}/sluice-lab/{name}@sha256:{'d' * 64}"
    assert daemon.tagged[0] == f"{paths.REGISTRY}/sluice-lab/{name}"
