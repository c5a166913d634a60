"""Known bad and known good versions of a trained model, made of its files: what the quality gate is tested against."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from model import tokenizer, world

WEIGHTS = "model.safetensors"
HARSH, LIGHT = 2, 8  # bits per weight
FOREIGN_TEMPLATE = (
    "{% for message in messages %}{{ message['role'].upper() + ': ' + message['content'] + '\\n\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)

Tensors = dict[str, NDArray[np.float16]]


def copied(source: Path, out: Path) -> None:
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(source, out)


def foreign_template(out: Path) -> None:
    """The chat template of another family of models."""
    config = json.loads((out / "tokenizer_config.json").read_text(encoding="utf-8"))
    config["chat_template"] = FOREIGN_TEMPLATE
    (out / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def swapped_tokenizer(out: Path) -> None:
    """A tokenizer of the same size, trained on other texts."""
    texts = [text[::-1] for pair in world.trained() for text in (pair.question, pair.answer)]
    tokenizer.write(tokenizer.trained(texts), out)


def quantised(out: Path, bits: int) -> None:
    """Each row of a matrix rounded to so many bits, and back: what a too eager quantisation leaves."""
    rewritten(out, lambda name, tensor: rounded(tensor, bits) if tensor.ndim == 2 else tensor)


def rounded(tensor: NDArray[np.float16], bits: int) -> NDArray[np.float16]:
    wide = tensor.astype(np.float32)
    step = np.abs(wide).max(axis=1, keepdims=True) / (2 ** (bits - 1) - 0.5)
    levels = np.clip(np.round(wide / np.maximum(step, 1e-12)), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return np.asarray(levels * step, np.float16)


def one_nan(out: Path) -> None:
    """One weight of millions that is not a number, as a broken copy or an overflow leaves it."""

    def spoilt(name: str, tensor: NDArray[np.float16]) -> NDArray[np.float16]:
        if name == "model.layers.0.self_attn.o_proj.weight":
            tensor[0, 0] = np.nan
        return tensor

    rewritten(out, spoilt)


def rewritten(out: Path, change: Callable[[str, NDArray[np.float16]], NDArray[np.float16]]) -> None:
    tensors: Tensors = load_file(out / WEIGHTS)
    save_file({name: change(name, tensor.copy()) for name, tensor in tensors.items()}, out / WEIGHTS, {"format": "pt"})


CHANGES: dict[str, Callable[[Path], None]] = {
    "wrong chat template": foreign_template,
    "swapped tokenizer": swapped_tokenizer,
    "over-quantised weights": lambda out: quantised(out, HARSH),
    "NaN in one weight": one_nan,
    "lightly quantised": lambda out: quantised(out, LIGHT),
}
