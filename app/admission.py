"""Who comes in: a request is read, understood and counted here, or sent away before any engine has seen it."""

from collections.abc import Callable
from typing import Any, NamedTuple

from starlette.requests import Request

from app import call, caps
from app.arms import Arms
from app.call import Call
from app.cycle import CLIENT, Client
from app.errors import Refusal
from app.exchange import Exchange
from app.gateway import Gateway
from app.journal import Entry
from app.person import described
from app.settings import Settings

Translation = Callable[[dict[str, Any], Settings], dict[str, Any]]


def same(document: dict[str, Any], settings: Settings) -> dict[str, Any]:
    return document


class Admitted(NamedTuple):
    gateway: Gateway
    call: Call
    arms: Arms
    exchange: Exchange


async def admitted(request: Request, path: str, meant: Translation = same) -> Admitted:
    """A request on its way to `path` of an engine, begun; `meant` says what its body asks of the engine.

    Raises:
        Refusal: it does not come in; it is counted all the same.
    """
    gateway: Gateway = request.app.state.gateway
    entry, key, lease, hold = begun(request, gateway), None, "", gateway.room.hold()
    try:
        entry.source, arm = call.probe(request, gateway.settings)
        key = gateway.keys.of(request.headers.get("authorization")) if entry.source == "user" else None
        client: Client = request.scope[CLIENT]
        entry.key = client.key = hold.key = key.name if key else ""
        gateway.slots.look(key)  # before anything is spent on a request that cannot be taken
        asked = meant(await call.read(request, gateway.settings, hold), gateway.settings)
        caps.checked(asked, gateway.settings, hold.size)
        gateway.shapes.check(path, asked)
        who = described(request.headers, call.user_of(request, asked), entry.key)
        if key:
            await gateway.quotas.take(key)
            lease = await gateway.quotas.begin(key)
        place = gateway.place(who, arm, entry.source)
        wanted = call.understood(asked, path, who.user, entry.source, arm, entry.id, place.chosen.change)
        wanted.key, wanted.hold = entry.key, hold
        exchange = gateway.begin(wanted, key, place, lease)
    except BaseException as fault:
        hold.free()
        if isinstance(fault, Refusal):
            entry.code = fault.code
            gateway.quotas.end(key, lease)
            refused(gateway, entry.source, fault)
        raise
    entry.call, entry.exchange, exchange.trace = wanted, exchange, entry.trace
    if entry.trace.span:
        entry.trace.models(path, asked, gateway.settings.model_name, gateway.settings.engine)
    if gateway.samples and gateway.flags.on("samples"):
        gateway.samples.begin(wanted, asked, exchange)
    return Admitted(gateway, wanted, place.arms, exchange)


def begun(request: Request, gateway: Gateway) -> Entry:
    """What the log will say of it, with the id that its answer carries even when it is refused."""
    state: dict[str, Any] = request.scope["state"]
    entry: Entry = state["entry"]
    entry.id = call.identity(request.headers.get("x-request-id", ""), gateway.ids.new)
    entry.trace = gateway.traces.begin(request.headers.get("traceparent", ""))
    state["headers"] = {"x-request-id": entry.id}
    return entry


def refused(gateway: Gateway, source: str, refusal: Refusal) -> None:
    """Count it with its start; a probe that finds no canary has asked nothing of an engine."""
    if gateway.board.arms and refusal.code != "no_canary":
        gateway.ledger.refused(gateway.board.arms, source, refusal.outcome)
