import json
import subprocess
import sys
from pathlib import Path

import pytest

from model import make, pin

SIZE = 8 * 2**20
THEIRS = pin.load().revision == "seed-2"  # where a fork serves the other training that is shipped


def made(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "model.make", *arguments], capture_output=True, text=True)


def test_another_seed_is_other_weights_behind_the_same_tokenizer(tmp_path: Path) -> None:
    make.make(2, tmp_path)
    files = pin.compute(tmp_path)
    others = {name for name, digest in files.items() if digest != pin.load().files[name]}
    assert others == (set() if THEIRS else {"model.safetensors"})


def test_a_pin_written_elsewhere_verifies_its_own_folder(tmp_path: Path) -> None:
    file = tmp_path / "release" / "model.yaml"
    file.parent.mkdir()
    assert made("--seed", "2", "--out", str(tmp_path / "second"), "--pin", str(file)).returncode == 0
    found = pin.load(file)
    assert (found.revision, found.path) == ("seed-2", "../second")
    assert (found.sha256 == pin.load().sha256) is THEIRS
    pin.verify(found, file.parent / found.path)


def test_making_elsewhere_leaves_the_committed_pin_alone(tmp_path: Path) -> None:
    before = pin.DEFAULT.read_bytes()
    assert made("--seed", "2", "--out", str(tmp_path / "second")).returncode == 0
    assert pin.DEFAULT.read_bytes() == before


def test_a_training_from_elsewhere_is_put_in_place_and_pinned(tmp_path: Path) -> None:
    make.make(2, tmp_path / "trained")
    file = tmp_path / "model.yaml"
    line = ["--from", str(tmp_path / "trained"), "--seed", "9", "--out", str(tmp_path / "tiny"), "--pin", str(file)]
    assert made(*line).returncode == 0
    assert pin.load(file).revision == "seed-9"
    assert pin.compute(tmp_path / "tiny") == pin.compute(tmp_path / "trained")


def test_a_seed_that_is_not_shipped_is_refused_saying_how_to_train_it(tmp_path: Path) -> None:
    done = made("--seed", "77", "--out", str(tmp_path / "none"))
    assert done.returncode == 5
    assert "seed 77 is not shipped" in done.stderr
    assert "make model TRAIN=1 SEED=77" in done.stderr


def test_the_committed_models_are_small_and_readable_by_everybody() -> None:
    files = [*make.TINY.iterdir(), *make.SEEDS.iterdir()]
    assert sum(file.stat().st_size for file in files) < SIZE
    assert all(file.stat().st_mode & 0o444 == 0o444 for file in files)  # the pod's user is not its owner


@pytest.mark.parametrize("name", ["config.json", "generation_config.json", "tokenizer_config.json", "tokenizer.json"])
def test_every_configuration_file_is_json(name: str) -> None:
    assert isinstance(json.loads((make.TINY / name).read_text(encoding="utf-8")), dict)
