"""Weights of a tiny Qwen2 that has learnt nothing, yet only ever says whole, printable words.

Random weights over a byte-level vocabulary answer in broken UTF-8. Here the residual stream carries a constant in
its first dimension, and only speakable tokens have an output row that reads it: all others stay at logit 0,
`LEAD` below, so sampling at temperature 1 leaves them about once in 10^7 tokens. The second dimension is negative
at tokens that cannot be said, such as the line break before an answer, and forbids the end there: no empty answers.
"""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from model.tokenizer import END, START_OF_TEXT, VOCABULARY

HIDDEN, LAYERS, HEADS, HEAD, INNER = 64, 2, 2, 32, 192
POSITIONS = 512
CONSTANT, NOISE = 1.0, 0.125  # of an embedding: its first dimension, and the spread of the others
SILENCE, UNENDING = -0.5, 6.0  # the second dimension of what cannot be said, and how the end reads it
LEAD = 24.0  # logits between a speakable token and all others
SPREAD = 0.3  # of the output rows: how much one word depends on those before it
END_EVERY = 48  # tokens, on average, if nothing cuts the answer short

Tensors = dict[str, NDArray[np.float32]]

CONFIG = {
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "vocab_size": VOCABULARY,
    "hidden_size": HIDDEN,
    "intermediate_size": INNER,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": HEADS,
    "hidden_act": "silu",
    "max_position_embeddings": POSITIONS,
    "initializer_range": 0.02,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "use_sliding_window": False,
    "attention_dropout": 0.0,
    "tie_word_embeddings": False,
    "torch_dtype": "float32",
    "bos_token_id": START_OF_TEXT,
    "eos_token_id": END,
    "use_cache": True,
}
GENERATION = {
    "bos_token_id": START_OF_TEXT,
    "eos_token_id": [END, START_OF_TEXT],
    "do_sample": True,
    "temperature": 1.0,
}


def tensors(seed: int, speakable: list[int]) -> Tensors:
    """All tensors by the names of transformers' Qwen2; `speakable` are the ids of the tokens it may say."""
    random = np.random.Generator(np.random.PCG64(seed))
    made: Tensors = {"model.embed_tokens.weight": embedding(random, speakable)}
    for layer in range(LAYERS):
        made |= {f"model.layers.{layer}.{name}": tensor for name, tensor in block(random).items()}
    made["model.norm.weight"] = np.ones(HIDDEN, np.float32)
    made["lm_head.weight"] = output(random, speakable)
    return made


def drawn(random: np.random.Generator, rows: int, columns: int, spread: float) -> NDArray[np.float32]:
    return (random.standard_normal((rows, columns)) * spread).astype(np.float32)


def embedding(random: np.random.Generator, speakable: list[int]) -> NDArray[np.float32]:
    rows = drawn(random, VOCABULARY, HIDDEN, NOISE)
    rows[:, :2] = CONSTANT, SILENCE
    rows[speakable, 1] = 0
    return rows


def block(random: np.random.Generator) -> Tensors:
    """One layer; what it adds to the residual stream leaves the first two dimensions alone."""
    width = HEADS * HEAD
    made = {f"self_attn.{name}_proj.weight": drawn(random, width, HIDDEN, 0.2) for name in "qkv"}
    made |= {f"self_attn.{name}_proj.bias": np.zeros(width, np.float32) for name in "qkv"}
    made["self_attn.o_proj.weight"] = silent(drawn(random, HIDDEN, width, 0.005))
    made["mlp.gate_proj.weight"] = drawn(random, INNER, HIDDEN, 0.1)
    made["mlp.up_proj.weight"] = drawn(random, INNER, HIDDEN, 0.1)
    made["mlp.down_proj.weight"] = silent(drawn(random, HIDDEN, INNER, 0.01))
    made["input_layernorm.weight"] = np.ones(HIDDEN, np.float32)
    made["post_attention_layernorm.weight"] = np.ones(HIDDEN, np.float32)
    return made


def silent(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    rows[:2] = 0
    return rows


def output(random: np.random.Generator, speakable: list[int]) -> NDArray[np.float32]:
    """Rows for the speakable tokens and the end; the final norm turns the constant into about 5.7."""
    constant = CONSTANT / np.sqrt((CONSTANT**2 + (HIDDEN - 1) * NOISE**2) / HIDDEN)
    rows = np.zeros((VOCABULARY, HIDDEN), np.float32)
    rows[speakable] = drawn(random, len(speakable), HIDDEN, SPREAD)
    rows[speakable, :2] = LEAD / constant, 0
    weight = len(speakable) * np.exp(SPREAD**2 * (HIDDEN - constant**2) / 2)  # of all words: a mean of log-normals
    rows[END] = 0
    rows[END, :2] = (LEAD + np.log(weight / END_EVERY)) / constant, UNENDING
    return rows


def write(made: Tensors, folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(save(made, metadata={"format": "pt"}))
    for name, content in (("config.json", CONFIG), ("generation_config.json", GENERATION)):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
