"""Make the tiny model: `python -m model.make [--seed N] [--out DIR] [--pin FILE]`, the same bytes for the same seed."""

import argparse
import os
from pathlib import Path

from model import pin as pins
from model import tokenizer, weights

HERE = Path(__file__).parent
ID = "sluice/tiny"
SERVED_NAME = "sluice-tiny"
ARGS = ["--dtype=float32", f"--max-model-len={weights.POSITIONS}", "--enforce-eager"]


def make(seed: int, out: Path) -> None:
    """Write config, tokenizer and weights into `out`, about 1 MB in all."""
    out.mkdir(parents=True, exist_ok=True)
    made = tokenizer.trained()
    tokenizer.write(made, out)
    weights.write(weights.tensors(seed, tokenizer.speakable(made)), out)


def pinned(seed: int, out: Path, file: Path) -> pins.Pin:
    """The pin that says what `out` holds, with a path relative to the pin's own folder."""
    files = pins.compute(out)
    return pins.Pin(
        id=ID,
        revision=f"seed-{seed}",
        path=os.path.relpath(out.resolve(), file.resolve().parent),
        served_name=SERVED_NAME,
        args=ARGS,
        files=files,
        sha256=pins.total(files),
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m model.make", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="another seed is another model of the same shape")
    parser.add_argument("--out", type=Path, default=HERE / "tiny", help="folder that gets the files")
    parser.add_argument(
        "--pin", type=Path, help="model.yaml to write; default: model/model.yaml, if --out is not given"
    )
    asked = parser.parse_args()
    make(asked.seed, asked.out)
    file = asked.pin or (HERE / "model.yaml" if asked.out == HERE / "tiny" else None)
    if file:
        pins.save(pinned(asked.seed, asked.out, file), file)
    print(f"{asked.out}: seed {asked.seed}, sha256 {pins.total(pins.compute(asked.out))}")  # noqa: T201


if __name__ == "__main__":
    main()
