"""Models whose worth is known: made once per recipe by training or by damage, and asked through a real engine."""

import argparse
import asyncio
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from model import damage, make, pin, running
from quality import ask, record
from quality.cases import Case
from quality.judge import Verdict
from release.errors import Refused

Say = Callable[[str], None]
RECIPE = ("train.py", "tokenizer.py", "world.py", "world.yaml")
SEEDS = (1, 2, 3, 4, 5)
UNDERTRAINED = 60  # steps
OTHER_WORLD = 8


@dataclass(frozen=True)
class Version:
    name: str
    expected: Verdict
    sign: str = ""  # what the reason must name
    training: tuple[str, ...] = ()  # arguments of model.train; else the shipped model, damaged by name


BAD = (
    Version("undertrained", "fail", "broken text", ("--seed=1", f"--steps={UNDERTRAINED}")),
    Version("wrong chat template", "fail", "broken text"),
    Version("swapped tokenizer", "fail", "broken text"),
    Version("over-quantised weights", "fail", "broken text"),
    Version("another model's weights", "fail", "wrong facts", ("--seed=1", f"--world={OTHER_WORLD}")),
    Version("NaN in one weight", "fail", "broken text"),
)
GOOD = (
    *(Version(f"retrained with seed {seed}", "pass", "", (f"--seed={seed}",)) for seed in SEEDS[1:]),
    Version("lightly quantised", "pass"),
)


def cache() -> Path:
    return Path(os.environ.get("SLUICE_CACHE") or Path.home() / ".cache/sluice")


def recipe() -> str:
    """Changes with all that a training depends on."""
    content = b"".join((make.HERE / name).read_bytes() for name in RECIPE)
    return hashlib.sha256(content).hexdigest()[:12]


def place_of(arguments: tuple[str, ...]) -> Path:
    name = "-".join(argument.strip("-").replace("=", "-") for argument in arguments)
    return cache() / "trained" / recipe() / name


def trained(arguments: tuple[str, ...], say: Say) -> Path:
    """The folder that this training wrote, trained now if it was not yet; minutes on two cores."""
    place = place_of(arguments)
    if not place.is_dir():
        say(f"training {place.name}, about two minutes")
        draft = place.with_name(f".{place.name}.{os.getpid()}")
        python = running.environment_of(cache())
        line = [str(python), "-m", "model.train", *arguments, f"--out={draft}"]
        done = subprocess.run(line, cwd=make.HERE.parent, stdout=sys.stderr, check=False)  # noqa: S603
        if done.returncode:
            raise running.EngineError(f"training {place.name} ended with {done.returncode}: the lines above say why")
        draft.replace(place)
    return place


def made(version: Version, out: Path, say: Say) -> Path:
    """The version's folder."""
    if version.training:
        return trained(version.training, say)
    folder = out / version.name.replace(" ", "-").lower()
    damage.copied(make.TINY, folder)
    damage.CHANGES[version.name](folder)
    return folder


def asked(name: str, folder: Path, cases: list[Case], out: Path, say: Say, again: bool = False) -> record.Record:
    """The answers of a real engine on this folder; those of the same files and cases are asked once."""
    out.mkdir(parents=True, exist_ok=True)
    file = out / f"{name.replace(' ', '-').lower()}.jsonl"
    sha256 = pin.total(pin.compute(folder))
    if file.exists():
        try:
            found = record.load(file)
            record.matched(found, cases, file, name)
            if found.head.sha256 == sha256 and not again:
                return found
        except Exception as error:
            say(f"asked again: {error}")
        file.unlink()
    say(f"{name}: starting the engine")
    try:
        with running.engine(folder, running.environment_of(cache()), out / f"{file.stem}.log") as url:
            endpoint = ask.Endpoint(url, make.SERVED_NAME, sha256, at_once=16)
            return asyncio.run(ask.collect(cases, endpoint, file, say))
    except running.EngineError as error:
        raise Refused(str(error)) from None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m quality.versions", description="Train a seed anew and pin it.")
    parser.add_argument("--seed", type=int, default=1)
    seed = parser.parse_args().seed
    training = (f"--seed={seed}",)
    shutil.rmtree(place_of(training), ignore_errors=True)
    try:
        source = trained(training, lambda line: print(line, flush=True))  # noqa: T201
    except running.EngineError as error:
        sys.exit(f"model: {error}")
    make.placed(source, make.TINY)
    pin.save(make.pinned(seed, make.TINY, pin.DEFAULT), pin.DEFAULT)
    print(f"{make.TINY}: seed {seed}; make quality compares it with the live release")  # noqa: T201


if __name__ == "__main__":
    main()
