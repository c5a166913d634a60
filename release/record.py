"""What `sluice record` writes: all that makes a release, taken from one commit's files, each with its hash."""

import hashlib
from pathlib import Path
from typing import Any

from model import pin
from release import audit
from release.audit import Entry
from release.environment import Release, bare, checked, parsed
from release.errors import Refused, WrongHash
from release.forge import Forge
from release.history import History
from release.lock import lock
from release.write import Written, digest, document, release_at, way_of, write

BASELINE = "quality/baseline.jsonl"


def content(root: Path, env: str, version: str, images: dict[str, str], gates: Path) -> dict[str, Any]:
    """The `release` of release.yaml; flags.json and prompts.yaml are those of the environment's own folder.

    Raises:
        Refused: one of the files is not what it should be; the line names it.
    """
    try:
        model, folder = pin.load(root / "model/model.yaml"), root / "environments" / env
    except pin.PinError as error:
        raise Refused(str(error)) from error
    found: dict[str, Any] = {
        "version": version,
        "images": images,
        "model": {"id": model.id, "revision": model.revision, "sha256": model.sha256},
        "adapter": {name: total_of(model, place) for name, place in sorted(model.adapters.items())},
        "prompts": carried(folder / "prompts.yaml"),
        "flags": carried(folder / "flags.json"),
        "gates": f"sha256:{pin.digest(gates)}",
        "baseline": named(root, BASELINE),
    }
    found = {key: value for key, value in found.items() if value is not None}
    checked({"release": found}, "release.yaml")
    return found


def record(history: History, forge: Forge | None, environment: str, content: dict[str, Any]) -> Written:
    """Write a release of this commit into an environment, unless a later commit's is there: its job was the faster one.

    Whoever records holds the environment's lock: two of them read and write one after the other.
    """
    version, text = content["version"], document(content)
    with lock(history, environment, version):
        history.fetch()
        if later(history, environment):
            return Written(history.sha(history.main), "", False)
        title, branch = f"chore({environment}): release {version}", f"release/{environment}/{version}"
        written = write(history, forge, environment, text, title, "", branch, way_of(history, environment))
    if written.changed:
        audit.write(history, Entry(environment, version, "recorded", release=digest(text), link=written.link))
    return written


def later(history: History, environment: str) -> bool:
    """Whether the version that the environment has is of a commit that came after the one checked out here."""
    found = release_at(history, history.main, environment)
    tagged, here = history.sha(f"refs/tags/{found[1].version}") if found else "", history.sha("HEAD")
    return bool(tagged) and tagged != here == history.fork(here, tagged)


def total_of(model: pin.Pin, place: str) -> str:
    """One sha256 over an adapter's files, as the pin's own is made."""
    return pin.total({name: value for name, value in model.files.items() if name.startswith(f"{place}/")})


def carried(file: Path) -> dict[str, str] | None:
    """A file's text and hash: the text travels with the release, so that promotion copies one file and no other."""
    return {"sha256": pin.digest(file), "content": file.read_text(encoding="utf-8")} if file.is_file() else None


def named(root: Path, path: str) -> dict[str, str] | None:
    """A file's path and hash: it is large, and stays in the commit that the version's tag names."""
    return {"path": path, "sha256": pin.digest(root / path)} if (root / path).is_file() else None


def check(history: History, release: Release) -> str:
    """Compare a release with the commit of its version's tag; returns what was compared, in words.

    Raises:
        WrongHash: the model, an adapter or the baseline is not the one of that commit.
    """
    tag = f"refs/tags/{release.version}"
    commit = history.sha(tag)
    if not commit:
        return f"not model and baseline (no tag {release.version} here)"
    path = "model/model.yaml"
    document = parsed(history.text(commit, path) or "", f"{release.version}:{path}")
    if not pin.KEYS <= set(document) <= pin.KEYS | pin.MORE:
        raise Refused(f"{release.version}:{path}: is no model pin that this version of sluice reads; release it anew")
    model = pin.Pin(**document)
    equal(release, "model.sha256", release.model.sha256, model.sha256)
    if "adapter" in release.model_fields_set and set(release.adapter) != set(model.adapters):
        raise Refused(f"release.adapter: {release.version} has {sorted(model.adapters) or 'none'}; record it again")
    for name, said in release.adapter.items():
        equal(release, f"adapter.{name}", said, total_of(model, model.adapters[name]))
    if release.baseline is not None:
        text = history.text(commit, release.baseline.path)
        found = "" if text is None else hashlib.sha256(text.encode()).hexdigest()
        equal(release, "baseline.sha256", release.baseline.sha256, found)
    return "model, adapters and baseline"


def equal(release: Release, key: str, said: str, found: str) -> None:
    if bare(said) != found:
        there = f"{found[:12]}… there" if found else "not there"
        raise WrongHash(f"release.{key} is {bare(said)[:12]}…, but {release.version}'s is {there}; record it again")
