import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from model import make, pin

SIZE = 2 * 2**20


def test_the_same_seed_is_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    env = os.environ | {"PYTHONHASHSEED": "7", "RAYON_NUM_THREADS": "1"}
    line = [sys.executable, "-m", "model.make", "--seed", "1", "--out", str(tmp_path / "tiny")]
    subprocess.run(line, check=True, capture_output=True, env=env)
    assert pin.compute(tmp_path / "tiny") == pin.load().files


def test_another_seed_is_other_weights_behind_the_same_tokenizer(tmp_path: Path) -> None:
    make.make(2, tmp_path)
    files = pin.compute(tmp_path)
    assert {name for name, digest in files.items() if digest != pin.load().files[name]} == {"model.safetensors"}


def test_a_pin_written_elsewhere_verifies_its_own_folder(tmp_path: Path) -> None:
    file = tmp_path / "release" / "model.yaml"
    file.parent.mkdir()
    line = [sys.executable, "-m", "model.make", "--seed", "2", "--out", str(tmp_path / "second"), "--pin", str(file)]
    subprocess.run(line, check=True, capture_output=True)
    made = pin.load(file)
    assert (made.revision, made.path) == ("seed-2", "../second")
    assert made.sha256 != pin.load().sha256
    pin.verify(made, file.parent / made.path)


def test_making_elsewhere_leaves_the_committed_pin_alone(tmp_path: Path) -> None:
    before = pin.DEFAULT.read_bytes()
    line = [sys.executable, "-m", "model.make", "--seed", "3", "--out", str(tmp_path / "third")]
    subprocess.run(line, check=True, capture_output=True)
    assert pin.DEFAULT.read_bytes() == before


def test_the_committed_model_is_small_and_readable_by_everybody() -> None:
    files = list((make.HERE / "tiny").iterdir())
    assert sum(file.stat().st_size for file in files) < SIZE
    assert all(file.stat().st_mode & 0o444 == 0o444 for file in files)  # the pod's user is not its owner


@pytest.mark.parametrize("name", ["config.json", "generation_config.json", "tokenizer_config.json", "tokenizer.json"])
def test_every_configuration_file_is_json(name: str) -> None:
    assert isinstance(json.loads((make.HERE / "tiny" / name).read_text(encoding="utf-8")), dict)
