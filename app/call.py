"""What a client asks for: read, capped and understood before anything is counted or sent."""

import asyncio
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ValidationError
from starlette.requests import ClientDisconnect, Request

from app import question
from app.arms import CANARY, STABLE
from app.cycle import CLIENT, Client
from app.document import strict
from app.document import written as encoded
from app.errors import Refusal, first_wrong
from app.question import NOTHING, Question
from app.room import ENDLESS, Hold
from app.settings import Settings
from app.variant import UNCHANGED, Change
from app.whole import CHAT, COMPLETIONS, RESPONSES

MAX_DEPTH = 64
Model = TypeVar("Model", bound=BaseModel)


def whole(number: Any) -> Any:
    return int(number) if isinstance(number, float) and number.is_integer() else number


WHOLE = BeforeValidator(whole)  # of an integer: 3.0 is one in JSON


@dataclass(slots=True)  # frozen ones cost three times as much to make
class Call:
    """One generation to relay: `path` on the engine, `body` as JSON bytes for it."""

    path: str
    body: bytes
    stream: bool
    strip_usage: bool
    user: str
    source: str
    arm: str | None  # a probe's wish
    id: str
    repeatable: bool = True  # sending it twice leaves nothing twice
    question: Question = NOTHING
    key: str = ""  # the name of the API key
    hold: Hold = ENDLESS  # the bytes that it and its answer take


async def read(request: Request, settings: Settings, hold: Hold) -> dict[str, Any]:
    """The body as a JSON object, whose bytes are held.

    Raises:
        Refusal: too large, too slow, too deep, no JSON, no object, or no room for it.
    """
    client: Client | None = request.scope.get(CLIENT)
    try:
        if client and client.sent:  # nothing is waited for
            return parsed(await body(request, settings.max_body_bytes, hold))
        async with asyncio.timeout(settings.body_seconds):
            return parsed(await body(request, settings.max_body_bytes, hold))
    except TimeoutError:
        raise Refusal(408, "body_too_slow", f"the body was not there within {settings.body_seconds:g} s") from None
    except ClientDisconnect:
        raise Refusal(499, "client_cancel", "the client went away") from None


async def body(request: Request, limit: int, hold: Hold) -> bytes:
    """Raises Refusal when it is larger than the limit: as soon as its length is told, else as soon as it has come."""
    told, size, more = int(request.headers.get("content-length", 0)), 0, True
    parts: list[bytes] = []
    if told > limit:
        raise too_large(limit)
    hold.grow(told)
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part, more = message.get("body", b""), message.get("more_body", False)
        size += len(part)
        if size > limit:
            raise too_large(limit)
        hold.grow(size)
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def too_large(limit: int) -> Refusal:
    return Refusal(413, "body_too_large", f"the body is larger than {limit} bytes: send less")


def parsed(text: bytes) -> dict[str, Any]:
    """Only what JSON holds, and can therefore be written again: Python would read more."""
    try:
        document = strict(text)
        if text.count(b"[") + text.count(b"{") > MAX_DEPTH:
            shallow(document)
    except (ValueError, RecursionError):
        raise Refusal(400, "invalid_json", "the body is not JSON: send an object with the request's fields") from None
    if not isinstance(document, dict):
        raise Refusal(400, "invalid_json", "the body is not a JSON object")
    return document


def shallow(found: Any, depth: int = 0) -> None:
    """Raises RecursionError: a schema or a tool's arguments are not so deep, and an engine may not bear it."""
    if depth > MAX_DEPTH:
        raise RecursionError
    inner = found.values() if isinstance(found, dict) else found if isinstance(found, list) else ()
    for one in inner:
        shallow(one, depth + 1)


def valid(model: type[Model], document: dict[str, Any]) -> Model:
    """The document as a model of ours.

    Raises:
        Refusal: a field is missing, of another type, or out of its range.
    """
    try:
        return model.model_validate(document, strict=True)
    except ValidationError as error:
        where, what = first_wrong(error)
        raise Refusal(422, "invalid_request", f"{where}: {what}", where) from None


def understood(
    document: dict[str, Any],
    path: str,
    user: str,
    source: str,
    arm: str | None,
    id: str = "",
    change: Change = UNCHANGED,
) -> Call:
    """The call that a document means as a variant changes it; the engine is always asked for usage."""
    said, document = document, document if change is UNCHANGED else change.applied(document, path)
    stream = document.get("stream") is True
    asked = document.get("stream_options")
    asked_usage = isinstance(asked, dict) and bool(asked.get("include_usage"))
    if stream and path in (CHAT, COMPLETIONS):
        options = asked if isinstance(asked, dict) else {}
        document = {**document, "stream_options": {**options, "include_usage": True}}
    return Call(
        path=path,
        body=encoded(document),
        stream=stream,
        strip_usage=stream and not asked_usage,
        user=user,
        source=source,
        arm=arm,
        id=id,
        repeatable=path != RESPONSES or document.get("store") is False,
        question=question.understood(said),
    )


def user_of(request: Request, document: dict[str, Any]) -> str:
    return str(request.headers.get("x-sluice-user") or document.get("user") or "")[:256]


def identity(given: str, fresh: Callable[[], str]) -> str:
    return given if 0 < len(given) <= 128 and given.isprintable() else fresh()


class Ids:
    """Ids that nobody can guess; the system is asked for many at a time, which costs as much as for one."""

    SIZE, MANY = 16, 256

    def __init__(self) -> None:
        self.left = b""

    def new(self) -> str:
        if not self.left:
            self.left = secrets.token_bytes(self.SIZE * self.MANY)
        one, self.left = self.left[: self.SIZE], self.left[self.SIZE :]
        return one.hex()


def probe(request: Request, settings: Settings) -> tuple[str, str | None]:
    """Source and wished arm: only whoever shows the probe key has a wish.

    Raises:
        Refusal: a wrong key, or an arm that does not exist.
    """
    shown = request.headers.get("x-sluice-probe")
    if shown is None:
        return "user", None
    if not settings.probe_key or not hmac.compare_digest(shown.encode(), settings.probe_key.encode()):
        raise Refusal(401, "invalid_probe_key", "x-sluice-probe is not this gateway's probe key")
    arm = request.headers.get("x-sluice-arm", STABLE)
    if arm not in (STABLE, CANARY):
        raise Refusal(400, "invalid_arm", "x-sluice-arm is neither stable nor canary")
    return "probe", arm
