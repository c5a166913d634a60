"""The engine of the release that is live: what an environment's release.yaml names by digest."""

from collections.abc import Sequence
from pathlib import Path

import yaml

from perf.errors import Refused

FOLDER = Path(__file__).parents[1] / "environments"
ENVIRONMENTS = ("prod", "staging")  # the first that has a release: what users have, else what they get next


def engine(folder: Path = FOLDER, environments: Sequence[str] = ENVIRONMENTS, tree: bool = False) -> str:
    """Its image by digest, or its tag for that version's tree; empty when nothing was released yet.

    Raises:
        Refused: a release.yaml that names no engine.
    """
    for file in (folder / name / "release.yaml" for name in environments):
        if file.exists():
            return named(file, tree)
    return ""


def named(file: Path, tree: bool) -> str:
    try:
        release = yaml.safe_load(file.read_text(encoding="utf-8"))["release"]
        found = release["version"] if tree else release["images"]["engine"]
    except (yaml.YAMLError, KeyError, TypeError):
        what = "version under release" if tree else "engine under release.images"
        raise Refused(f"{file}: names no {what}: write the release again") from None
    return str(found)
