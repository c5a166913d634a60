import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from model import make, pin, running
from quality import proof, record, versions
from quality.cases import Case
from rollouts import gates


def quiet(line: str) -> None:
    pass


def test_a_training_that_is_there_is_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_CACHE", str(tmp_path))
    place = tmp_path / "trained" / versions.recipe() / "seed-3-steps-60"
    place.mkdir(parents=True)
    assert versions.trained(("--seed=3", "--steps=60"), quiet) == place


def test_a_training_without_an_engine_environment_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_CACHE", str(tmp_path))
    with pytest.raises(running.EngineError, match="lab/install engine"):
        versions.trained(("--seed=3",), quiet)


def test_a_training_that_fails_is_one_line_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_CACHE", str(tmp_path))
    python = tmp_path / "engine-venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nexit 7\n")
    python.chmod(0o755)
    with pytest.raises(running.EngineError, match="training seed-3 ended with 7"):
        versions.trained(("--seed=3",), quiet)
    assert not (tmp_path / "trained").exists()


def test_a_damaged_version_leaves_the_shipped_model_alone(tmp_path: Path) -> None:
    version = next(one for one in versions.BAD if one.name == "NaN in one weight")
    folder = versions.made(version, tmp_path, quiet)
    assert pin.compute(folder) != pin.load().files
    assert pin.compute(make.TINY) == pin.load().files


def test_the_same_files_and_cases_are_asked_once(
    asked: list[Case], server: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Path] = []

    @contextmanager
    def engine(folder: Path, python: Path, log: Path) -> Iterator[str]:
        started.append(folder)
        yield server.url  # type: ignore[attr-defined]

    monkeypatch.setattr(running, "engine", engine)
    monkeypatch.setattr(running, "environment_of", lambda cache: Path("python"))
    model = tmp_path / "model"
    shutil.copytree(make.TINY, model)

    def answers(again: bool = False) -> record.Record:
        return versions.asked("A model", model, asked, tmp_path / "answers", quiet, again)

    assert answers() == answers()
    assert (len(started), len(answers().answers)) == (1, len(asked))
    answers(again=True)
    assert len(started) == 2
    (model / "config.json").write_text("{}")
    answers()
    assert len(started) == 3


def test_the_margins_are_three_times_the_recorded_spread_of_this_recipes_seeds() -> None:
    found, margins = json.loads(proof.SPREAD.read_text()), gates.load().quality.margins
    assert found["recipe"] == versions.recipe()
    assert found["seeds"] >= 5
    assert all(margin >= 3 * found[name]["largest_deviation"] > 0 for name, margin in margins.items())
