"""POST /predict: one prompt, one text."""

import asyncio
import json
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from app import call
from app.admission import Admitted, admitted
from app.answer import hung_up
from app.description import GENERATION, errors
from app.errors import Busy, EngineFault, Refusal
from app.gateway import headers
from app.rescue import Rescue
from app.settings import Settings
from app.whole import COMPLETIONS

router = APIRouter()
USUAL_TOKENS = 128


class Prompt(BaseModel):
    prompt: Annotated[str, Field(min_length=1, examples=["The river lies"])]
    max_new_tokens: Annotated[int, Field(ge=1), call.WHOLE] = USUAL_TOKENS  # or the settings' most, if that is less


class Prediction(BaseModel):
    text: Annotated[str, Field(examples=[" by the town."])]
    model_version: Annotated[str, Field(examples=["v1.2.0"])]
    query_id: Annotated[str, Field(examples=["5f0c"])]
    latency_seconds: Annotated[float, Field(examples=[0.21])]
    tokens: Annotated[int, Field(examples=[4])]


DESCRIBED = {"requestBody": {"required": True, "content": {"application/json": {"schema": Prompt.model_json_schema()}}}}


@router.post("/predict", openapi_extra=DESCRIBED, responses=errors(*GENERATION, 422))
async def predict(request: Request, response: Response) -> Prediction:
    found = await admitted(request, COMPLETIONS, asked)
    tell(request, found)
    content = json.loads(await answered(found, request))
    response.headers.update(request.state.headers)
    return prediction(content, found)


def asked(document: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """What the engine is asked for.

    Raises:
        Refusal: a field is missing or out of its range.
    """
    wanted = call.valid(Prompt, {"max_new_tokens": min(USUAL_TOKENS, settings.max_tokens), **document})
    if wanted.max_new_tokens > settings.max_tokens:
        raise Refusal(422, "invalid_request", f"max_new_tokens: at most {settings.max_tokens}", "max_new_tokens")
    return {"model": settings.model_name, "prompt": wanted.prompt, "max_tokens": wanted.max_new_tokens}


async def answered(found: Admitted, request: Request) -> bytes:
    """The engine's body; freed at once when the client goes away."""
    work = asyncio.create_task(relayed(found, request))
    gone = asyncio.create_task(hung_up(request.receive))
    found.gateway.unfinished.add(work)
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if work.cancelled():
            found.exchange.end("rejected")
            raise Busy(503, "shutting_down", "this gateway is going away: send the request again")
        if not work.done():
            found.exchange.hang_up()
            raise Refusal(499, "client_cancel", "the client went away")
        return work.result()
    except (Busy, EngineFault) as fault:
        found.exchange.end(fault.outcome)
        raise
    finally:
        found.gateway.unfinished.discard(work)
        work.cancel()
        gone.cancel()
        found.exchange.hang_up()


async def relayed(found: Admitted, request: Request) -> bytes:
    rescue = Rescue(found.gateway, found.call, found.arms, found.exchange)
    async with rescue as opened:
        if found.exchange.rescued:
            tell(request, found)
        return opened.first


def tell(request: Request, found: Admitted) -> None:
    """Have the answer say who gave it, or will."""
    raw = headers(found.arms, found.exchange, found.call)
    request.state.headers = {name.decode(): value.decode("latin-1") for name, value in raw}


def prediction(content: dict[str, Any], found: Admitted) -> Prediction:
    usage = content.get("usage")
    tokens = usage.get("completion_tokens", 0) if isinstance(usage, dict) else 0
    return Prediction(
        text=content["choices"][0]["text"] or "",
        model_version=found.exchange.given_by[0],
        query_id=found.call.id,
        latency_seconds=round(found.exchange.age, 4),
        tokens=tokens,
    )
