"""The model pin: which files make the model, and that they are the very ones that were tested.

Needs only the standard library and PyYAML, because it also runs in the engine image.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

DEFAULT = Path(__file__).parent / "model.yaml"
KEYS = {"id", "revision", "path", "served_name", "args", "files", "sha256"}
MORE = {"source", "tokenizer_sha256", "chat_template_sha256", "components", "adapters"}
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
    source: str = ""  # where to fetch the files: an http(s) folder, s3://bucket/prefix or hub:owner/name; empty: `path`
    tokenizer_sha256: str = ""  # of tokenizer.json
    chat_template_sha256: str = ""  # of the template's text
    # name -> revision, files, and with: the revisions of other components that it belongs to
    components: dict[str, dict[str, Any]] = field(default_factory=dict)
    adapters: dict[str, str] = field(default_factory=dict)  # name that clients ask for -> folder among the files

    def document(self) -> dict[str, Any]:
        names = ("id", "revision", "source", "path", "served_name", "args", "adapters", "components")
        hashes = ("files", "sha256", "tokenizer_sha256", "chat_template_sha256")
        return {name: getattr(self, name) for name in (*names, *hashes) if name in KEYS or getattr(self, name)}


def chosen() -> Path:
    """The pin of this process: SLUICE_MODEL_PIN, else the one beside this module."""
    return Path(os.environ.get("SLUICE_MODEL_PIN") or DEFAULT)


def load(file: Path = DEFAULT) -> Pin:
    """Read a pin; PinError when it is missing, is not YAML, or has other keys than a pin has."""
    try:
        given = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise PinError(f"{file}: cannot be read as YAML: {' '.join(str(error).split())}") from None
    if not isinstance(given, dict) or not KEYS <= set(given) <= KEYS | MORE:
        raise PinError(
            f"{file}: needs the keys {', '.join(sorted(KEYS))}, may have {', '.join(sorted(MORE))}, no others"
        )
    return Pin(**given)


def save(pin: Pin, file: Path) -> None:
    head = "# Which model is served. Written by `sluice model pin`; the pod refuses to start on other files.\n"
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


def template(folder: Path) -> str:
    """The chat template's text: a file of its own, or in tokenizer_config.json; empty when there is none."""
    own = folder / "chat_template.jinja"
    if own.is_file():
        return own.read_text(encoding="utf-8")
    config = folder / "tokenizer_config.json"
    found = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
    return str(found.get("chat_template") or "")


def template_digest(folder: Path) -> str:
    text = template(folder)
    return hashlib.sha256(text.encode()).hexdigest() if text else ""


def of(folder: Path, file: Path, **known: Any) -> Pin:
    """The pin of what a folder holds, to be written to `file`."""
    files = compute(folder)
    return Pin(
        path=os.path.relpath(folder.resolve(), file.resolve().parent),
        files=files,
        sha256=total(files),
        tokenizer_sha256=files.get("tokenizer.json", ""),
        chat_template_sha256=template_digest(folder),
        **known,
    )


def verify(pin: Pin, folder: Path) -> None:
    """PinError, naming the file, unless the folder holds exactly the pinned files and its parts belong together."""
    if not folder.is_dir():
        raise PinError(f"{folder}: the model's folder is missing: check `path` in the pin")
    if total(pin.files) != pin.sha256:
        raise PinError("the pin's sha256 is not that of its own files: write the pin again with `sluice model pin`")
    belonging(pin)
    found = compute(folder)
    for name in sorted({*found, *pin.files}):
        if name not in found:
            raise PinError(f"{folder / name}: missing, but the pin names it: fetch the model again")
        if name not in pin.files:
            raise PinError(f"{folder / name}: not in the pin: remove it, or write the pin again")
        if found[name] != pin.files[name]:
            raise PinError(f"{folder / name}: sha256 {found[name][:12]}… is not the pinned {pin.files[name][:12]}…")
    if pin.tokenizer_sha256 and pin.tokenizer_sha256 != found.get("tokenizer.json"):
        raise PinError(f"{folder / 'tokenizer.json'}: not the tokenizer that tokenizer_sha256 of the pin names")
    if pin.chat_template_sha256 and pin.chat_template_sha256 != template_digest(folder):
        raise PinError(f"{folder}: the chat template is not the one that chat_template_sha256 of the pin names")


def belonging(pin: Pin) -> None:
    """PinError unless each component's files are pinned and the revisions are those that each was made with."""
    for name, part in pin.components.items():
        for file in part.get("files", []):
            if file not in pin.files:
                raise PinError(
                    f"component {name}: {file} is not among the pin's files: pin it, or correct the component"
                )
        for other, revision in part.get("with", {}).items():
            has = pin.components.get(other, {}).get("revision", "none")
            if has != revision:
                raise PinError(
                    f"component {name}: made with {other} {revision}, but the pin has {has}: pin both as one"
                )
    for adapter, place in pin.adapters.items():
        if not any(file.startswith(f"{place}/") for file in pin.files):
            raise PinError(f"adapter {adapter}: no pinned file lies in {place}/: pin its files")
