"""Put a trained model in its place and pin it: `python -m model.make [--seed N | --from DIR] [--out DIR] [--pin FILE]`.

Two trainings ship with the repository, so that another model of the same quality is there in a moment; model.train
makes more.
"""

import argparse
import shutil
from pathlib import Path

from model import pin as pins
from model import world

HERE = Path(__file__).parent
TINY = HERE / "tiny"
SEEDS = HERE / "seeds"  # weights of further trainings; all else is the same for every seed
ID = "sluice/tiny"
POSITIONS = 512
SERVED_NAME = "sluice-tiny"
ARGS = ["--dtype=float32", f"--max-model-len={POSITIONS}", "--enforce-eager"]
WEIGHTS = "model.safetensors"


def shipped(seed: int) -> Path:
    """The weights of a seed; FileNotFoundError, saying which there are, for one that is not shipped."""
    now = pins.load().revision.removeprefix("seed-")  # of what lies in TINY
    file = TINY / WEIGHTS if str(seed) == now else SEEDS / f"{seed}.safetensors"
    if not file.is_file():
        known = ", ".join(sorted({now, *(one.stem for one in SEEDS.glob("*.safetensors"))}))
        raise FileNotFoundError(f"seed {seed} is not shipped (there are {known}): make model TRAIN=1 SEED={seed}")
    return file


def make(seed: int, out: Path) -> None:
    """The model of a shipped seed in `out`; the weights may be `out`'s own."""
    out.mkdir(parents=True, exist_ok=True)
    weights = shipped(seed).read_bytes()
    if out.resolve() != TINY.resolve():
        shutil.copytree(TINY, out, dirs_exist_ok=True)
    (out / WEIGHTS).write_bytes(weights)


def placed(source: Path, out: Path) -> None:
    """The model that a training wrote, in its place."""
    out.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, out, dirs_exist_ok=True)


def pinned(seed: int, out: Path, file: Path) -> pins.Pin:
    """The pin that says what `out` holds, with a path relative to the pin's own folder."""
    revision, words = f"seed-{seed}", f"world-{world.SEED}"
    components = {
        "tokenizer": {"revision": words, "files": ["tokenizer.json", "tokenizer_config.json"]},
        "decoder": {"revision": revision, "files": ["config.json", WEIGHTS], "with": {"tokenizer": words}},
    }
    known = {"id": ID, "revision": revision, "served_name": SERVED_NAME, "args": ARGS, "components": components}
    return pins.of(out, file, **known)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m model.make", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="another seed is another model of the same quality")
    parser.add_argument("--from", dest="source", type=Path, help="folder that model.train wrote, of that seed")
    parser.add_argument("--out", type=Path, default=TINY, help="folder that gets the files")
    parser.add_argument(
        "--pin", type=Path, help="model.yaml to write; default: model/model.yaml, if --out is not given"
    )
    asked = parser.parse_args()
    if asked.source:
        placed(asked.source, asked.out)
    else:
        try:
            make(asked.seed, asked.out)
        except FileNotFoundError as error:
            parser.exit(5, f"{error}\n")
    file = asked.pin or (HERE / "model.yaml" if asked.out == TINY else None)
    if file:
        pins.save(pinned(asked.seed, asked.out, file), file)
    print(f"{asked.out}: seed {asked.seed}, sha256 {pins.total(pins.compute(asked.out))}")  # noqa: T201


if __name__ == "__main__":
    main()
