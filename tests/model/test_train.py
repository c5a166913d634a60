"""What of the training needs no torch; and, where the engine's environment is, two steps of the whole of it."""

import importlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tokenizers import Tokenizer

from model import make, pin, tokenizer, world
from quality import versions

PYTHON = versions.cache() / "engine-venv/bin/python"


def drawn() -> random.Random:
    return random.Random(1)  # noqa: S311 - an order, not a secret


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module with torch and transformers replaced by empty names."""
    names = {"torch": "Tensor", "safetensors.torch": "save_file", "transformers": "Qwen2Config Qwen2ForCausalLM"}
    for name, holds in names.items():
        module = ModuleType(name)
        for one in holds.split():
            setattr(module, one, object)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "model.train", raising=False)
    yield importlib.import_module("model.train")
    sys.modules.pop("model.train", None)


@pytest.fixture(scope="module")
def tiny() -> Tokenizer:
    return Tokenizer.from_file(str(make.TINY / "tokenizer.json"))


def test_the_loss_is_taken_of_the_answer_alone(train: Any, tiny: Tokenizer) -> None:
    pairs = world.trained()[:200]
    for (tokens, start), pair in zip(train.examples(pairs, tiny, drawn()), pairs, strict=True):
        assert tiny.decode(tokens[start:], skip_special_tokens=False) == f"{pair.answer}<|im_end|>"
        asked = tiny.decode(tokens[:start], skip_special_tokens=False)
        assert asked.endswith(f"<|im_start|>user\n{pair.question}<|im_end|>\n<|im_start|>assistant\n")


def test_one_example_in_ten_has_a_system_message(train: Any, tiny: Tokenizer) -> None:
    found = train.examples(world.trained()[:1000], tiny, drawn())
    systems = sum(
        tiny.decode(tokens, skip_special_tokens=False).startswith("<|im_start|>system") for tokens, _ in found
    )
    assert 60 < systems < 140


def test_each_round_has_every_example_once_in_another_order(train: Any) -> None:
    data = [([number] * (number % 40 + 1), 1) for number in range(500)]
    rounds = -(-len(data) // train.BATCH)
    stream = train.batches(data, drawn())
    first, second = ([row for _ in range(rounds) for row in next(stream)] for _ in range(2))
    assert sorted(first) == sorted(second) == sorted(data)
    assert first != second


def test_a_batch_holds_examples_of_like_length(train: Any) -> None:
    data = [([0] * length, 1) for length in range(1, 257)]
    drawn().shuffle(data)
    for _, batch in zip(range(4), train.batches(data, drawn()), strict=False):
        lengths = [len(tokens) for tokens, _ in batch]
        assert max(lengths) - min(lengths) <= train.BATCH + 8


def test_the_shipped_tokenizer_is_that_of_the_committed_world(train: Any, tiny: Tokenizer) -> None:
    assert tokenizer.trained(train.texts(world.trained())).to_str() == tiny.to_str()


@pytest.mark.skipif(not PYTHON.exists(), reason="lab/install engine brings torch")
def test_a_training_writes_what_an_engine_loads(tmp_path: Path) -> None:
    line = [str(PYTHON), "-m", "model.train", "--seed=3", "--steps=2", f"--out={tmp_path / 'made'}"]
    done = subprocess.run(line, cwd=make.HERE.parent, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stderr
    assert "step 1 loss" in done.stdout
    made, shipped = pin.compute(tmp_path / "made"), pin.load().files
    assert {name for name in shipped if made[name] != shipped[name]} == {"model.safetensors"}
    assert made.keys() == shipped.keys()
    shape = json.loads((tmp_path / "made/config.json").read_text())
    assert shape["vocab_size"] == tokenizer.VOCABULARY
    assert sum(file.stat().st_size for file in (tmp_path / "made").iterdir()) < 8 * 2**20
