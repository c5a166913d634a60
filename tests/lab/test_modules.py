from pathlib import Path

import pytest

from lab import modules


@pytest.fixture
def pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "one").mkdir()
    (tmp_path / "one/go.mod").write_text(
        "module x\n\ngo 1.26\n\nrequire example.com/tool v1.2.3\n\n"
        "require (\n\texample.com/other v0.4.0 // indirect\n)\n"
    )
    monkeypatch.setattr(modules, "PINS", tmp_path)
    return tmp_path


@pytest.mark.parametrize(("path", "version"), [("example.com/tool", "v1.2.3"), ("example.com/other", "v0.4.0")])
def test_the_version_is_the_one_that_is_pinned(pins: Path, path: str, version: str) -> None:
    assert modules.version("one", path) == version


def test_a_module_that_is_not_pinned_has_no_version(pins: Path) -> None:
    with pytest.raises(LookupError, match=r"go\.mod does not require example\.com/tools"):
        modules.version("one", "example.com/tools")


def test_the_source_is_asked_for_at_the_pinned_version(pins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def run(*command: object) -> str:
        asked.extend(map(str, command))
        return '{"Dir": "/sources/tool"}'

    monkeypatch.setattr(modules, "run", run)

    assert modules.source("one", "example.com/tool") == Path("/sources/tool")
    assert asked[-1] == "example.com/tool@v1.2.3"
