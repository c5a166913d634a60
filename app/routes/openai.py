"""OpenAI's API, relayed: /v1/chat/completions, /v1/completions, /v1/models."""

from typing import Any

from fastapi import APIRouter, Request, Response

from app import call
from app.answer import Answer
from app.errors import Refusal
from app.gateway import Gateway

router = APIRouter()


@router.post("/v1/chat/completions")
@router.post("/v1/completions")
async def generate(request: Request) -> Response:
    gateway: Gateway = request.app.state.gateway
    document = await call.read(request, gateway.settings.max_body_bytes)
    wanted = call.understood(request, document, gateway.settings, request.url.path)
    arms, exchange = gateway.begin(wanted)
    return Answer(gateway, wanted, arms, exchange)


@router.get("/v1/models")
async def models(request: Request) -> dict[str, Any]:
    gateway: Gateway = request.app.state.gateway
    return {"object": "list", "data": [model(gateway.settings.model_name)]}


@router.get("/v1/models/{name}")
async def one_model(name: str, request: Request) -> dict[str, Any]:
    gateway: Gateway = request.app.state.gateway
    if name != gateway.settings.model_name:
        raise Refusal(404, "model_not_found", f"there is no model of that name, only {gateway.settings.model_name}")
    return model(name)


def model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "sluice"}
