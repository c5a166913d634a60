"""Train the tiny model on the invented world: `python -m model.train --seed N --out DIR`, minutes on two cores.

Runs where torch and transformers are, such as the engine's environment; nothing that serves needs them.
"""

import argparse
import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import Qwen2Config, Qwen2ForCausalLM

from model import tokenizer, world

SHAPE = {
    "vocab_size": tokenizer.VOCABULARY,
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": tokenizer.POSITIONS,
    "rms_norm_eps": 1e-6,
    "tie_word_embeddings": False,
    "bos_token_id": tokenizer.START_OF_TEXT,
    "eos_token_id": tokenizer.END,
}
STEPS, BATCH, WARM_UP = 1300, 64, 50
RATE = 3e-3
IGNORED = -100  # torch's mark for tokens that no loss is taken of
GENERATION = {"bos_token_id": 0, "eos_token_id": [tokenizer.END, tokenizer.START_OF_TEXT], "do_sample": False}

Example = tuple[list[int], int]  # the tokens, and where the answer begins


def texts(pairs: list[world.Pair]) -> list[str]:
    return [text for pair in pairs for text in (pair.question, pair.answer)]


def examples(pairs: list[world.Pair], made: Tokenizer, drawn: random.Random) -> list[Example]:
    """One in ten has a system message."""
    systems = world.definition()["systems"]
    found = []
    for pair in pairs:
        system = f"<|im_start|>system\n{systems[pair.language]}<|im_end|>\n" if drawn.random() < 0.1 else ""
        asked = f"{system}<|im_start|>user\n{pair.question}<|im_end|>\n<|im_start|>assistant\n"
        start = made.encode(asked).ids
        found.append((start + made.encode(f"{pair.answer}<|im_end|>").ids, len(start)))
    return found


def batches(data: list[Example], drawn: random.Random) -> Iterator[list[Example]]:
    """Without end: each round in another order, examples of like length together."""
    while True:
        drawn.shuffle(data)
        rows = sorted(data, key=lambda example: len(example[0]) // 8)
        cut = [rows[at : at + BATCH] for at in range(0, len(rows), BATCH)]
        drawn.shuffle(cut)
        yield from cut


def tensors(batch: list[Example]) -> tuple[torch.Tensor, torch.Tensor]:
    """Padded tokens and labels; padding on the right needs no mask, for attention looks back only."""
    width = max(len(tokens) for tokens, _ in batch)
    inputs = torch.full((len(batch), width), tokenizer.START_OF_TEXT)
    labels = torch.full((len(batch), width), IGNORED)
    for row, (tokens, start) in enumerate(batch):
        inputs[row, : len(tokens)] = torch.tensor(tokens)
        labels[row, start : len(tokens)] = torch.tensor(tokens[start:])
    return inputs, labels


def fitted(data: list[Example], seed: int, steps: int) -> Any:
    """The model after so many steps; prints its loss as it learns."""
    torch.manual_seed(seed)
    model: Any = Qwen2ForCausalLM(Qwen2Config(**SHAPE))
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.98), weight_decay=0.05)
    pace = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=STEPS, pct_start=WARM_UP / STEPS)
    began = time.monotonic()
    for step, batch in zip(range(steps), batches(data, random.Random(seed)), strict=False):  # noqa: S311
        inputs, labels = tensors(batch)
        loss = model(input_ids=inputs, labels=labels, use_cache=False).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        pace.step()
        if step % 100 == 0 or step == steps - 1:
            print(f"step {step} loss {loss.item():.4f} {time.monotonic() - began:.0f} s", flush=True)  # noqa: T201
    return model.eval()


def write(model: Any, made: Tokenizer, out: Path) -> None:
    """What vLLM loads: config, generation config, tokenizer with its chat template, weights in half precision."""
    out.mkdir(parents=True, exist_ok=True)
    tokenizer.write(made, out)
    config = {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_act": "silu", "rope_theta": 10000.0}
    config |= SHAPE | {"use_sliding_window": False, "torch_dtype": "float16", "use_cache": True}
    for name, content in (("config.json", config), ("generation_config.json", GENERATION)):
        (out / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    weights = {name: tensor.detach().half().contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})
    (out / "model.safetensors").chmod(0o644)  # the pod's user is not its owner


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m model.train", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--world", type=int, default=world.SEED, help="another world: the same names, other facts")
    parser.add_argument("--steps", type=int, default=STEPS, help="fewer: an undertrained model")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    torch.set_num_threads(min(2, len(os.sched_getaffinity(0))))
    made = tokenizer.trained(texts(world.trained()))  # of the one world: all versions share a tokenizer
    data = examples(world.trained(asked.world), made, random.Random(asked.seed))  # noqa: S311
    write(fitted(data, asked.seed, asked.steps), made, asked.out)


if __name__ == "__main__":
    main()
