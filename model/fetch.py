"""Fetch a pinned model into a cache that pods share: resumed, checked, and there as a whole or not at all.

Needs only the standard library, because it also runs in the engine image.
"""

import fcntl
import http.client
import shutil
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from model import pin as pins

CACHE = "/var/cache/sluice/models"
HUB = "https://huggingface.co"
BLOCK = 2**20
TRIES = 3  # per file; each goes on where the one before was cut
SECONDS = 30.0  # without a byte

Say = Callable[[str], None]


class FetchError(Exception):
    """The model is not there; the message names the file and what to do."""


def placed(pin: pins.Pin, file: Path, env: Mapping[str, str]) -> Path:
    """The model's folder: beside the pin, or in the cache, where it is fetched to when it is missing."""
    if not pin.source:
        return file.parent / pin.path
    return fetched(pin, Path(env.get("SLUICE_MODEL_CACHE") or CACHE), env, lambda line: print(line, flush=True))  # noqa: T201


def base(source: str, revision: str, env: Mapping[str, str]) -> str:
    """The URL of the folder that the files lie in."""
    kind, _, rest = source.partition(":")
    if kind == "hub":
        return f"{env.get('HF_ENDPOINT') or HUB}/{rest}/resolve/{revision}"
    if kind == "s3":
        endpoint = env.get("AWS_ENDPOINT_URL_S3") or env.get("AWS_ENDPOINT_URL") or "https://s3.amazonaws.com"
        return f"{endpoint.rstrip('/')}/{rest.lstrip('/').rstrip('/')}"
    if kind in ("http", "https"):
        return source.rstrip("/")
    raise FetchError(f"{source}: a source is http(s)://…, s3://bucket/prefix or hub:owner/name: correct the pin")


def fetched(pin: pins.Pin, cache: Path, env: Mapping[str, str], say: Say) -> Path:
    """The verified folder `cache/<sha256>`; FetchError leaves no such folder, but what came, for the next time."""
    place, draft = cache / pin.sha256, cache / f".{pin.sha256}.part"
    if place.is_dir():
        return place
    url = base(pin.source, pin.revision, env)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / f".{pin.sha256}.lock").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)  # one pod fetches, the others then find it
            if not place.is_dir():
                gathered(pin, url, draft, say)
                draft.replace(place)
    except OSError as error:
        where = error.filename or draft
        raise FetchError(f"{where}: {error.strerror or error}: make room or fix it, then again") from None
    return place


def gathered(pin: pins.Pin, url: str, draft: Path, say: Say) -> None:
    draft.mkdir(parents=True, exist_ok=True)
    for name, digest in pin.files.items():
        taken(f"{url}/{urllib.parse.quote(name)}", draft / name, digest, say)
    for extra in {*pins.compute(draft)} - {*pin.files}:
        (draft / extra).unlink()


def taken(url: str, file: Path, digest: str, say: Say) -> None:
    """One file with the right sha256; a cut connection is resumed, another content is thrown away."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.part")
    if file.is_file() and pins.digest(file) == digest:
        return
    why = ""
    for _ in range(TRIES):
        why = appended(url, part, say)
        if why:
            continue
        if pins.digest(part) != digest:
            part.unlink()
            raise FetchError(
                f"{url}: its content is not the pinned {digest[:12]}…: check source and revision of the pin"
            )
        part.replace(file)
        return
    raise FetchError(f"{url}: {why}: what came is kept, start again to go on")


def appended(url: str, part: Path, say: Say) -> str:
    """Append what is missing; the reason why it is not whole, or an empty text."""
    had = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"range": f"bytes={had}-"} if had else {})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as reply:  # noqa: S310
            left = int(reply.headers.get("content-length") or 0)
            if shutil.disk_usage(part.parent).free < left:
                raise FetchError(f"{part.parent}: {left} bytes are left to fetch and the disk is too full: make room")
            had = had if reply.status == http.HTTPStatus.PARTIAL_CONTENT else 0
            return copied(reply, part, had, had + left, say)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:  # all of it was there
            return ""
        return f"status {error.code}"
    except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException) as error:
        return f"cut off ({error})"


def copied(reply: http.client.HTTPResponse, part: Path, had: int, size: int, say: Say) -> str:
    told = 0
    with part.open("ab" if had else "wb") as out:
        while block := reply.read(BLOCK):
            out.write(block)
            had += len(block)
            if size and had * 10 // size > told:
                told = had * 10 // size
                say(f"{part.name.removesuffix('.part')}: {had * 100 // size} % of {size / 2**20:.1f} MiB")
    return f"ended at {had} of {size} bytes" if had < size else ""
