import shutil
from pathlib import Path

import pytest

from lab import gated, paths
from model import pin


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    shutil.copytree(paths.ROOT / "model/tiny", tmp_path / "model/tiny")
    shutil.copy(paths.ROOT / "model/model.yaml", tmp_path / "model/model.yaml")
    return tmp_path


def test_the_worse_model_is_another_one_and_its_pin_is_in_order(clone: Path) -> None:
    gated.quantised(clone)
    file = clone / "model/model.yaml"
    pin.verify(pin.load(file), clone / "model/tiny")
    assert pin.load(file).sha256 != pin.load(pin.chosen()).sha256
    assert pin.load(file).args == pin.load(pin.chosen()).args
