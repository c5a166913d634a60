import numpy as np
import pytest
from numpy.typing import NDArray
from tokenizers import Tokenizer

from model import make, tokenizer, weights

Array = NDArray[np.float32]


@pytest.fixture(scope="module")
def speakable() -> list[int]:
    return tokenizer.speakable(Tokenizer.from_file(str(make.HERE / "tiny" / "tokenizer.json")))


@pytest.fixture(scope="module", params=[1, 2, 3])
def made(request: pytest.FixtureRequest, speakable: list[int]) -> weights.Tensors:
    return weights.tensors(request.param, speakable)


def norm(rows: Array) -> Array:
    return rows / np.sqrt((rows**2).mean(axis=-1, keepdims=True) + 1e-6)


def logits(made: weights.Tensors, tokens: list[int]) -> Array:
    """Qwen2's forward pass without positions: good enough to see where the probability goes."""
    state = made["model.embed_tokens.weight"][tokens]
    for layer in range(weights.LAYERS):
        part = {name.split(f"layers.{layer}.")[1]: t for name, t in made.items() if f"layers.{layer}." in name}
        seen = norm(state)
        mean = np.cumsum(seen @ part["self_attn.v_proj.weight"].T, axis=0) / np.arange(1, len(tokens) + 1)[:, None]
        state = state + mean @ part["self_attn.o_proj.weight"].T
        seen = norm(state)
        gate = seen @ part["mlp.gate_proj.weight"].T
        inner = gate / (1 + np.exp(-gate)) * (seen @ part["mlp.up_proj.weight"].T)
        state = state + inner @ part["mlp.down_proj.weight"].T
    return norm(state) @ made["lm_head.weight"].T


def probabilities(made: weights.Tensors, said: list[int]) -> Array:
    """Of the next token, after each of 400 words said at random."""
    tokens = np.random.default_rng(5).choice(said, 400).tolist()
    grown = np.exp(logits(made, tokens).astype(np.float64))
    return (grown / grown.sum(axis=-1, keepdims=True)).astype(np.float32)


def test_sampling_practically_never_leaves_the_speakable_tokens(made: weights.Tensors, speakable: list[int]) -> None:
    others = sorted(set(range(tokenizer.VOCABULARY)) - set(speakable) - {tokenizer.END})
    assert probabilities(made, speakable)[:, others].sum(axis=-1).max() < 1e-5


def test_an_answer_ends_by_itself_now_and_then(made: weights.Tensors, speakable: list[int]) -> None:
    assert 1 / 150 < probabilities(made, speakable)[:, tokenizer.END].mean() < 1 / 15


def test_an_answer_is_never_empty_after_a_line_break(made: weights.Tensors, speakable: list[int]) -> None:
    silent = sorted(set(range(tokenizer.VOCABULARY)) - set(speakable))
    assert probabilities(made, silent)[:, tokenizer.END].max() < 1e-4


def test_no_word_is_said_all_the_time(made: weights.Tensors, speakable: list[int]) -> None:
    assert probabilities(made, speakable).mean(axis=0).max() < 0.15


def test_shapes_are_those_of_the_configuration(made: weights.Tensors) -> None:
    assert made["lm_head.weight"].shape == (weights.CONFIG["vocab_size"], weights.CONFIG["hidden_size"])
    assert made["model.layers.1.mlp.down_proj.weight"].shape == (weights.HIDDEN, weights.INNER)
    assert {tensor.dtype for tensor in made.values()} == {np.dtype(np.float32)}
