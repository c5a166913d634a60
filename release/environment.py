"""An environment: the folder that says what should run (`release.yaml`) and how (`values.yaml`)."""

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from app import prompts
from model.name import named as model_named
from release.errors import Refused, WrongHash

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / "environments"
NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")

Image = Annotated[str, Field(pattern=r"^[^@\s]+@sha256:[0-9a-f]{64}$")]
Hash = Annotated[str, Field(pattern=r"^(sha256:)?[0-9a-f]{64}$")]
WRONG = "wrong_hash"
MOST = 500_000  # characters: a ConfigMap takes 1 MiB


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Images(Strict):
    gateway: Image
    engine: Image


class Model(Strict):
    id: str
    revision: str
    sha256: Hash

    @field_validator("id", "revision")
    @classmethod
    def versioned(cls, text: str) -> str:
        """A name with a version in it must be one that can be parsed; others are taken as they are."""
        model_named(text)
        return text


class Content(Strict):
    """A file that belongs to the release, with its hash: a rollback brings back what the pods were started with."""

    sha256: Hash
    content: Annotated[str, Field(max_length=MOST)]

    @model_validator(mode="after")
    def fits(self) -> Self:
        found = hashlib.sha256(self.content.encode()).hexdigest()
        if bare(self.sha256) != found:
            said = {"said": bare(self.sha256)[:12], "found": found[:12]}
            raise PydanticCustomError(WRONG, "sha256 is {said}…, but the content's is {found}…; record it again", said)
        return self


class Prompts(Content):
    """Prompt templates by name, as the gateway reads them."""

    @cached_property
    def templates(self) -> prompts.Prompts:
        return prompts.read(self.content)

    @model_validator(mode="after")
    def readable(self) -> Self:
        try:
            self.templates  # noqa: B018 - reading is what may fail
        except ValueError as error:
            raise ValueError(f"{error}; correct prompts.yaml and record it again") from error
        return self


class Baseline(Strict):
    """The answers that the next candidate is compared with: a file of the commit that has this version's tag."""

    path: Annotated[str, Field(pattern=r"^[^/.][^:]*$")]
    sha256: Hash


class Release(Strict):
    """All that makes a release; it rolls forward and back as one."""

    version: Annotated[str, Field(pattern=r"^v\d+\.\d+\.\d+[-.0-9A-Za-z]*$")]
    images: Images
    model: Model
    adapter: dict[str, Hash] = {}  # name that clients ask for -> sha256 over its files, which are among the model's
    prompts: Prompts | None = None
    flags: Content | None = None  # features and variants, in flagd's format
    gates: Hash
    baseline: Baseline | None = None

    @model_validator(mode="after")
    def understood(self) -> Self:
        """A gateway that cannot read its flags would not start, so they are read here as it reads them."""
        if self.flags:
            from app import flags  # for those alone: their evaluator is slow to import

            try:
                flags.read(self.flags.content, self.prompts.templates if self.prompts else {})
            except (ValueError, RecursionError) as error:
                raise ValueError(f"flags: {error}; correct flags.json and record it again") from error
        return self


def bare(text: str) -> str:
    """A hash without the name of its algorithm."""
    return text.removeprefix("sha256:")


@dataclass(frozen=True)
class Environment:
    folder: Path
    release: Release
    values: dict[str, Any]
    document: dict[str, Any]

    @property
    def prometheus(self) -> str:
        return prometheus_of(self.values)


def folder_of(name: str) -> Path:
    """`environments/<name>/`, or any folder given by its path."""
    path = Path(name)
    if path.is_dir():
        return path.resolve()
    if (ENVIRONMENTS / name).is_dir():
        return ENVIRONMENTS / name
    known = ", ".join(sorted(p.name for p in ENVIRONMENTS.glob("*/"))) or "none"
    raise Refused(f"{name}: no such environment; give a folder or one of: {known}")


def namespace_of(folder: Path) -> str:
    """The folder's name, which must be one that Kubernetes takes."""
    if not NAMESPACE.fullmatch(folder.name):
        raise Refused(f"{folder}: its name is no Kubernetes namespace; name one with --namespace")
    return folder.name


def prometheus_of(values: dict[str, Any]) -> str:
    rollouts = values.get("rollouts")
    return str(rollouts.get("prometheus") or "") if isinstance(rollouts, dict) else ""


def named(folder: Path) -> bool:
    """Whether this environment has a cluster and a release: a fresh fork's have neither, and it deploys nothing."""
    delivery = mapping(folder / "values.yaml").get("delivery")
    return isinstance(delivery, dict) and bool(delivery.get("cluster")) and (folder / "release.yaml").is_file()


def load(folder: Path) -> Environment:
    """Read and check both files; raises Refused naming the file, the key and the fix."""
    values = mapping(folder / "values.yaml")
    if "release" in values:
        raise Refused(f"{folder / 'values.yaml'}: `release` belongs to release.yaml; move it there")
    path = folder / "release.yaml"
    document = mapping(path)
    return Environment(folder, checked(document, str(path)), values, document)


def of(folder: Path, text: str) -> Environment:
    """The environment as it would be with this text as its release.yaml."""
    path = folder / "release.yaml"
    document = parsed(text, str(path))
    return Environment(folder, checked(document, str(path)), mapping(folder / "values.yaml"), document)


def checked(document: dict[str, Any], source: str) -> Release:
    """The release that a document of one key holds; raises Refused or WrongHash with source, key and fix."""
    if set(document) != {"release"}:
        raise Refused(f"{source}: wants the one top-level key `release`, has {sorted(document) or 'none'}")
    try:
        return Release.model_validate(document["release"])
    except ValidationError as error:
        kind = WrongHash if error.errors()[0]["type"] == WRONG else Refused
        raise kind(f"{source}: {first_line(error, 'release')}") from error


def mapping(path: Path) -> dict[str, Any]:
    """The YAML mapping in a file; raises Refused when it is missing or is something else."""
    try:
        return parsed(path.read_text(), str(path))
    except OSError as error:
        raise Refused(f"{path}: cannot be read ({error.strerror}); every environment needs it") from error


def parsed(text: str, source: str) -> dict[str, Any]:
    """The YAML mapping in a text; raises Refused, naming where it comes from, when it is something else."""
    try:
        found = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise Refused(f"{source}: is not YAML: {' '.join(str(error).split())[:200]}") from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Refused(f"{source}: must be a mapping of keys to values")
    return found


def first_line(error: ValidationError, root: str) -> str:
    """The first thing that pydantic found wrong, as `key: what; fix`."""
    wrong = error.errors()[0]
    key = ".".join(str(part) for part in (root, *wrong["loc"]))
    if wrong["type"] == "missing":
        return f"`{key}` is missing; add it"
    if wrong["type"] == "extra_forbidden":
        return f"`{key}` is not a key of a release; remove it"
    if wrong["type"] == "string_pattern_mismatch":
        return f"`{key}` is {wrong['input']!r}; write it like {example(wrong['loc'])}"
    return f"`{key}`: {wrong['msg'].removeprefix('Value error, ')}"


def example(location: tuple[int | str, ...]) -> str:
    if "images" in location:
        return "registry/repository@sha256:<64 hex digits> (a digest, never a tag)"
    return "v1.2.0" if location[-1] == "version" else "sha256:<64 hex digits>"
