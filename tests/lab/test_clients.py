from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import clients, paths
from lab.clients import Failed, Place
from lab.errors import Refused


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("clients")
    with (
        clients.fake("tiny", folder / "engine.log") as engine,
        clients.gateway("tiny", engine, folder / "gateway.log") as url,
    ):
        yield Place(url, "tiny", folder, real=False)


def test_curl_and_the_official_package_are_content(place: Place) -> None:
    clients.curl(place)
    clients.official(place)


def test_a_client_that_is_not_content_is_told_and_fails_the_run(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = Place(place.url, "another", place.folder, real=False)
    chosen = {name: clients.CLIENTS[name] for name in ("curl", "openai")}
    monkeypatch.setattr(clients, "CLIENTS", chosen)

    assert clients.tried(wrong) == 1
    assert clients.tried(place) == 0
    said = capsys.readouterr().out
    assert (said.count(" failed: "), said.count(" ok\n")) == (2, 2)


def test_a_program_that_hangs_or_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Failed, match="exit code 3"):
        clients.ran("sh", "-c", "exit 3")
    monkeypatch.setattr(clients, "SECONDS", 0.1)
    with pytest.raises(Failed, match="not done"):
        clients.ran("sleep", "5")


def test_clients_that_are_not_installed_are_named_with_what_installs_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(paths, "CACHE", tmp_path)
    with pytest.raises(Refused, match="lab/install clients"):
        clients.program("guidellm")
