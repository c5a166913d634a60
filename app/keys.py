"""API keys, from a file that holds only their hashes; `python3 -m app.keys NAME` makes one."""

import hashlib
import hmac
import secrets
import sys
from pathlib import Path

import yaml
from prometheus_client import Gauge
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from app.errors import Refusal, first_wrong
from app.mounted import Mounted

HEAD_BYTES = 4 * 1024  # of a request: so far its API key is looked for before it is read


class Key(BaseModel):
    """One client; a limit that is not given does not hold."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)

    name: str = Field(min_length=1, max_length=64)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    requests_per_minute: int | None = Field(default=None, gt=0)
    tokens_per_minute: int | None = Field(default=None, gt=0)
    concurrency: int | None = Field(default=None, gt=0)


class KeyFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    keys: list[Key]


def loaded(path: Path) -> dict[str, Key]:
    """The keys of a file by their hash.

    Raises:
        ValueError: what is wrong with the file, in one line.
    """
    try:
        found = KeyFile.model_validate(yaml.safe_load(path.read_text()))
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    except yaml.YAMLError:
        raise ValueError(f"{path}: this is not YAML") from None
    except ValidationError as error:
        where, what = first_wrong(error)
        raise ValueError(f"{path}: {where}: {what}") from None
    names = [key.name for key in found.keys]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"{path}: the name {min(twice)} is there twice")
    return {key.sha256: key for key in found.keys}


class Keys(Mounted[dict[str, Key]]):
    """Who may come in; without a file, everybody."""

    def __init__(self, path: Path | None, broken: Gauge) -> None:
        super().__init__(path, loaded, {}, broken, "keys")

    def of(self, authorization: str | None) -> Key | None:
        """The key that a request shows.

        Raises:
            Refusal: none, or an unknown one.
        """
        if self.path is None:
            return None
        scheme, _, shown = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not shown:
            raise Refusal(401, "missing_api_key", "send an API key: Authorization: Bearer KEY")
        digest = hashlib.sha256(shown.strip().encode()).hexdigest()
        # the table is searched by hash, whose start nobody can choose: its timing says nothing about a key
        key = self.now.get(digest)
        if key is None or not hmac.compare_digest(key.sha256, digest):
            raise Refusal(401, "invalid_api_key", "this API key is not known")
        return key


def shown(data: bytes) -> str:
    """The Authorization in a request's first bytes, found without reading the others."""
    head = data[:HEAD_BYTES]
    _, found, rest = head.lower().partition(b"\r\nauthorization:")
    at = len(head) - len(rest)
    return head[at:].partition(b"\r\n")[0].strip().decode("latin-1") if found else ""


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: python3 -m app.keys NAME", file=sys.stderr)  # noqa: T201
        return 2
    key = "sk-" + secrets.token_urlsafe(32)
    digest = hashlib.sha256(key.encode()).hexdigest()
    print(f"the client's key, shown once: {key}", file=sys.stderr)  # noqa: T201
    print(f"  - {{name: {sys.argv[1]}, sha256: '{digest}'}}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
