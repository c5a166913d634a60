import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from model import damage, make, pin

EXPECTED = {
    "wrong chat template": "tokenizer_config.json",
    "swapped tokenizer": "tokenizer.json",
    "over-quantised weights": "model.safetensors",
    "NaN in one weight": "model.safetensors",
    "lightly quantised": "model.safetensors",
}


@pytest.mark.parametrize("name", list(damage.CHANGES))
def test_each_damage_changes_one_file_and_the_pin_sees_it(name: str, tmp_path: Path) -> None:
    damage.copied(make.TINY, tmp_path / "copy")
    damage.CHANGES[name](tmp_path / "copy")
    files = pin.compute(tmp_path / "copy")
    assert {file for file, digest in files.items() if digest != pin.load().files[file]} == {EXPECTED[name]}
    with pytest.raises(pin.PinError, match=EXPECTED[name].replace(".", r"\.")):
        pin.verify(pin.load(), tmp_path / "copy")


def test_one_weight_alone_is_not_a_number(tmp_path: Path) -> None:
    damage.copied(make.TINY, tmp_path / "copy")
    damage.one_nan(tmp_path / "copy")
    assert sum(np.isnan(tensor).sum() for tensor in load_file(tmp_path / "copy/model.safetensors").values()) == 1


def test_fewer_bits_are_fewer_values_and_a_larger_error() -> None:
    rows = np.random.Generator(np.random.PCG64(1)).standard_normal((4, 512)).astype(np.float16)
    errors = {bits: float(np.abs(damage.rounded(rows, bits) - rows).mean()) for bits in (2, 4, 8)}
    assert len(np.unique(damage.rounded(rows, 2)[0])) <= 4
    assert errors[2] > 3 * errors[4] > 9 * errors[8]


def test_the_foreign_template_knows_nothing_of_our_markup(tmp_path: Path) -> None:
    damage.copied(make.TINY, tmp_path / "copy")
    damage.foreign_template(tmp_path / "copy")
    config = json.loads((tmp_path / "copy/tokenizer_config.json").read_text())
    assert "<|im_start|>" not in config["chat_template"]
