"""The model pin: which files make the model, and that they are the very ones that were tested.

Needs only the standard library and PyYAML, because it also runs in the engine image.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

DEFAULT = Path(__file__).parent / "model.yaml"
KEYS = {"id", "revision", "path", "served_name", "args", "files", "sha256"}
BLOCK = 2**20


class PinError(Exception):
    """The pin or the files it names are not what they should be; the message names the file and what to do."""


@dataclass(frozen=True)
class Pin:
    id: str
    revision: str
    path: str  # of the model's folder, relative to the pin's own
    served_name: str
    files: dict[str, str]  # name -> sha256
    sha256: str  # over all files, see `total`
    args: list[str] = field(default_factory=list)  # for the engine

    def document(self) -> dict[str, Any]:
        return {
            name: getattr(self, name) for name in ("id", "revision", "path", "served_name", "args", "files", "sha256")
        }


def chosen() -> Path:
    """The pin of this process: SLUICE_MODEL_PIN, else the one beside this module."""
    return Path(os.environ.get("SLUICE_MODEL_PIN") or DEFAULT)


def load(file: Path = DEFAULT) -> Pin:
    """Read a pin; PinError when it is missing, is not YAML, or has other keys than a pin has."""
    try:
        given = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise PinError(f"{file}: cannot be read as YAML: {' '.join(str(error).split())}") from None
    if not isinstance(given, dict) or set(given) != KEYS:
        raise PinError(f"{file}: needs exactly the keys {', '.join(sorted(KEYS))}")
    return Pin(**given)


def save(pin: Pin, file: Path) -> None:
    head = (
        "# Which model is served. Written by `python -m model.make --pin`; the pod refuses to start on other files.\n"
    )
    text = yaml.safe_dump(pin.document(), sort_keys=False, allow_unicode=True, width=120)
    file.write_text(head + text, encoding="utf-8")


def digest(file: Path) -> str:
    seen = hashlib.sha256()
    with file.open("rb") as content:
        while block := content.read(BLOCK):
            seen.update(block)
    return seen.hexdigest()


def compute(folder: Path) -> dict[str, str]:
    """The sha256 of each file of a model's folder by its name, in order."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): digest(file) for file in files}


def total(files: Mapping[str, str]) -> str:
    """One sha256 over all files: of the lines `<sha256>  <name>`, sorted by name, as sha256sum prints them."""
    lines = "".join(f"{files[name]}  {name}\n" for name in sorted(files))
    return hashlib.sha256(lines.encode()).hexdigest()


def verify(pin: Pin, folder: Path) -> None:
    """PinError, naming the file, unless the folder holds exactly the pinned files."""
    if not folder.is_dir():
        raise PinError(f"{folder}: the model's folder is missing: check `path` in the pin")
    if total(pin.files) != pin.sha256:
        raise PinError("the pin's sha256 is not that of its own files: write the pin again with model.make --pin")
    found = compute(folder)
    for name in sorted({*found, *pin.files}):
        if name not in found:
            raise PinError(f"{folder / name}: missing, but the pin names it: fetch the model again")
        if name not in pin.files:
            raise PinError(f"{folder / name}: not in the pin: remove it, or write the pin again")
        if found[name] != pin.files[name]:
            raise PinError(f"{folder / name}: sha256 {found[name][:12]}… is not the pinned {pin.files[name][:12]}…")
