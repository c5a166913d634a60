"""POST /predict: one prompt, one text."""

import asyncio
import json
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError

from app import call
from app.arms import Arms
from app.errors import ApiError, EngineFault
from app.exchange import Exchange
from app.gateway import Gateway, headers
from app.relay import Attempt

router = APIRouter()


class Prompt(BaseModel):
    prompt: Annotated[str, Field(min_length=1)]
    max_new_tokens: Annotated[int, Field(ge=1, le=4096)] = 128


class Prediction(BaseModel):
    text: str
    model_version: str
    query_id: str
    latency_seconds: float
    tokens: int


async def capped(request: Request) -> Prompt:
    """The body, read by us: FastAPI would take one of any size."""
    document = await call.read(request, request.app.state.gateway.settings.max_body_bytes)
    try:
        return Prompt.model_validate(document)
    except ValidationError as error:
        found = [{**one, "loc": ("body", *one["loc"])} for one in error.errors(include_input=False)]
        raise RequestValidationError(found) from None


DESCRIBED = {"requestBody": {"required": True, "content": {"application/json": {"schema": Prompt.model_json_schema()}}}}


@router.post("/predict", openapi_extra=DESCRIBED)
async def predict(asked: Annotated[Prompt, Depends(capped)], request: Request) -> Prediction:
    gateway: Gateway = request.app.state.gateway
    document = {"model": gateway.settings.model_name, "prompt": asked.prompt, "max_tokens": asked.max_new_tokens}
    wanted = call.understood(request, document, gateway.settings, "/v1/completions")
    arms, exchange = gateway.begin(wanted)
    request.state.headers = headers(arms, exchange.arm, wanted)
    content = json.loads(await answered(Attempt(gateway, wanted, arms, exchange), exchange, request))
    return prediction(content, arms, exchange, wanted.id)


async def answered(attempt: Attempt, exchange: Exchange, request: Request) -> bytes:
    """The engine's body; freed at once when the client goes away."""
    work = asyncio.create_task(attempted(attempt))
    gone = asyncio.create_task(hung_up(request))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            exchange.hang_up()
            raise ApiError(499, "client_cancel", "the client went away")
        return work.result()
    except EngineFault as fault:
        exchange.end(fault.outcome)
        raise
    finally:
        work.cancel()
        gone.cancel()
        exchange.hang_up()


async def attempted(attempt: Attempt) -> bytes:
    async with attempt.reply() as reply:
        content = await attempt.whole(reply)
        if reply.status >= 400:
            raise ApiError(reply.status, "prompt", "the engine refused this prompt")
        return content


async def hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def prediction(content: dict[str, list[dict[str, str]]], arms: Arms, exchange: Exchange, query: str) -> Prediction:
    usage = content.get("usage")
    tokens = usage.get("completion_tokens", 0) if isinstance(usage, dict) else 0
    return Prediction(
        text=content["choices"][0]["text"],
        model_version=arms.version,
        query_id=query,
        latency_seconds=round(exchange.age, 4),
        tokens=tokens,
    )
