import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from model import make, pin
from model.cli import app

SOURCE = "hub:your-org/your-model"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The pin of a model that lies beside it, as in this repository."""
    shutil.copytree(make.TINY, tmp_path / "model/tiny")
    shutil.copy(pin.DEFAULT, tmp_path / "model/model.yaml")
    return tmp_path / "model/model.yaml"


def said(*words: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, [*map(str, words)])
    return done.exit_code, done.output


def test_what_was_pinned_is_what_is_verified(file: Path) -> None:
    (file.parent / "tiny/config.json").write_text("{}")
    assert said("verify", file)[0] == 25
    assert said("pin", file.parent / "tiny", "--revision", "v1.1.0", "--file", file)[0] == 0
    assert said("verify", file)[0] == 0


def test_another_revision_keeps_what_is_not_said_of_it(file: Path) -> None:
    before = pin.load(file)
    said("pin", file.parent / "tiny", "--revision", "v1.1.0", "--file", file)
    after = pin.load(file)

    assert after.revision == "v1.1.0"
    assert (after.id, after.args, after.components, after.path) == (before.id, before.args, before.components, "tiny")
    assert after.sha256 == before.sha256


def test_another_model_begins_without_the_parts_of_the_one_before(file: Path, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/model.safetensors").write_text("weights")
    words = ("--id", "your-org/your-model", "--revision", "v1.0.0", "--source", SOURCE, "--arg", "--max-model-len=8192")
    code, _ = said("pin", tmp_path / "own", *words, "--file", file)
    found = pin.load(file)

    assert code == 0
    assert (found.source, found.args, found.path) == (SOURCE, ["--max-model-len=8192"], ".")
    assert (found.components, found.adapters, list(found.files)) == ({}, {}, ["model.safetensors"])
    assert found.served_name == "sluice-tiny"
    assert said("pin", tmp_path / "own", "--revision", "v1.1.0", "--file", file)[0] == 0
    assert (pin.load(file).source, pin.load(file).revision) == (SOURCE, "v1.1.0")


def test_the_first_pin_of_all_wants_to_know_what_it_pins(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/model.safetensors").write_text("weights")
    code, why = said("pin", tmp_path / "own", "--revision", "v1", "--file", tmp_path / "model.yaml")

    assert code == 5
    assert "say its --id and --served-name" in why
    assert not (tmp_path / "model.yaml").exists()


@pytest.mark.parametrize(
    ("made", "words", "why"),
    [
        ((), (), "no model's files there"),
        (("weights", ".cache/x"), ("--source", SOURCE), ".cache: no part of a model"),
        (("weights",), (), "the engine's image has"),
    ],
)
def test_what_no_pod_could_start_on_is_refused(
    file: Path, tmp_path: Path, made: tuple[str, ...], words: tuple[str, ...], why: str
) -> None:
    before = file.read_text()
    for name in made:
        (tmp_path / "own" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "own" / name).write_text("x")
    code, output = said("pin", tmp_path / "own", *words, "--file", file)

    assert code == 5
    assert why in output
    assert file.read_text() == before


def test_parts_that_no_longer_fit_are_refused(file: Path) -> None:
    (file.parent / "tiny/tokenizer.json").unlink()
    code, why = said("pin", file.parent / "tiny", "--file", file)

    assert code == 25
    assert "tokenizer.json is not among the pin's files" in why
