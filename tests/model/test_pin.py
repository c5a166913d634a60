import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from model import pin


@pytest.fixture
def model(tmp_path: Path) -> tuple[pin.Pin, Path]:
    """A copy of the committed model and its pin."""
    committed = pin.load()
    shutil.copytree(pin.DEFAULT.parent / committed.path, tmp_path / "tiny")
    return committed, tmp_path / "tiny"


def test_the_committed_model_is_the_one_the_pin_names() -> None:
    committed = pin.load()
    pin.verify(committed, pin.DEFAULT.parent / committed.path)


def test_a_changed_byte_is_refused_by_the_name_of_its_file(model: tuple[pin.Pin, Path]) -> None:
    committed, folder = model
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    with pytest.raises(pin.PinError, match=r"model\.safetensors: sha256 .* is not the pinned"):
        pin.verify(committed, folder)


def test_a_missing_file_is_refused_by_its_name(model: tuple[pin.Pin, Path]) -> None:
    committed, folder = model
    (folder / "tokenizer.json").unlink()
    with pytest.raises(pin.PinError, match=r"tokenizer\.json: missing"):
        pin.verify(committed, folder)


def test_a_file_too_many_is_refused_by_its_name(model: tuple[pin.Pin, Path]) -> None:
    committed, folder = model
    (folder / "sub").mkdir()
    (folder / "sub" / "custom.py").write_text("print()")
    with pytest.raises(pin.PinError, match=r"sub/custom\.py: not in the pin"):
        pin.verify(committed, folder)


def test_a_missing_folder_is_refused_by_its_name(model: tuple[pin.Pin, Path]) -> None:
    with pytest.raises(pin.PinError, match="elsewhere: the model's folder is missing"):
        pin.verify(model[0], model[1] / "elsewhere")


def test_a_pin_whose_sum_is_not_of_its_files_is_refused(model: tuple[pin.Pin, Path]) -> None:
    committed, folder = model
    with pytest.raises(pin.PinError, match="not that of its own files"):
        pin.verify(replace(committed, sha256="0" * 64), folder)


def test_the_sum_over_all_files_is_what_sha256sum_prints(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name).write_text(name)
    printed = subprocess.run(["sha256sum", "a", "b"], cwd=tmp_path, capture_output=True, check=True).stdout
    assert pin.total(pin.compute(tmp_path)) == hashlib.sha256(printed).hexdigest()


def test_a_pin_survives_being_saved_and_loaded(tmp_path: Path) -> None:
    committed = pin.load()
    pin.save(committed, tmp_path / "model.yaml")
    assert pin.load(tmp_path / "model.yaml") == committed
    assert (tmp_path / "model.yaml").read_bytes() == pin.DEFAULT.read_bytes()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: [", "cannot be read as YAML"),
        ("- 1", "needs the keys"),
        ("id: x", "needs the keys"),
        (None, "cannot be"),
    ],
)
def test_what_is_no_pin_is_refused_in_one_line_with_its_name(tmp_path: Path, text: str | None, why: str) -> None:
    file = tmp_path / "model.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(pin.PinError, match=why) as refused:
        pin.load(file)
    assert str(refused.value).startswith(str(file))
    assert "\n" not in str(refused.value)


def test_what_runs_in_the_engine_image_needs_no_third_party_package_but_yaml() -> None:
    line = "import sys, model.serve, model.started, model.pin; print(*{m.split('.')[0] for m in sys.modules})"
    ran = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True, env=dict(os.environ))
    others = set(ran.stdout.split()) - set(sys.stdlib_module_names) - {"__main__", "model", "yaml", "_yaml"}
    assert not {
        name for name in others if name in {"numpy", "tokenizers", "safetensors", "aiohttp", "pydantic", "ruamel"}
    }


def test_a_pin_survives_being_written(tmp_path: Path) -> None:
    pin.save(pin.load(), tmp_path / "model.yaml")
    assert pin.load(tmp_path / "model.yaml") == pin.load()


def test_another_chat_template_or_tokenizer_than_the_pins_is_refused(model: tuple[pin.Pin, Path]) -> None:
    committed, folder = model
    with pytest.raises(pin.PinError, match="chat_template_sha256"):
        pin.verify(replace(committed, chat_template_sha256="0" * 64), folder)
    with pytest.raises(pin.PinError, match="tokenizer_sha256"):
        pin.verify(replace(committed, tokenizer_sha256="0" * 64), folder)


def test_parts_of_different_versions_do_not_go_together(model: tuple[pin.Pin, Path]) -> None:
    committed, folder = model
    draft = {"revision": "d1", "files": ["config.json"], "with": {"decoder": "seed-0"}}
    with pytest.raises(pin.PinError, match="component draft: made with decoder seed-0, but the pin has seed-"):
        pin.verify(replace(committed, components=committed.components | {"draft": draft}), folder)
    with pytest.raises(pin.PinError, match="component draft: made with encoder e1, but the pin has none"):
        other = draft | {"with": {"encoder": "e1"}}
        pin.verify(replace(committed, components=committed.components | {"draft": other}), folder)


def test_files_of_parts_and_adapters_are_pinned_ones(model: tuple[pin.Pin, Path]) -> None:
    committed, folder = model
    with pytest.raises(pin.PinError, match=r"draft: draft/model\.bin is not among the pin's files"):
        part = {"revision": "d1", "files": ["draft/model.bin"]}
        pin.verify(replace(committed, components={"draft": part}), folder)
    with pytest.raises(pin.PinError, match="adapter polite: no pinned file lies in lora/"):
        pin.verify(replace(committed, adapters={"polite": "lora"}), folder)


def test_a_chat_template_may_be_a_file_of_its_own(model: tuple[pin.Pin, Path]) -> None:
    _, folder = model
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    assert pin.template(folder) == "{{ messages }}"
    assert pin.template_digest(folder / "nowhere") == ""
