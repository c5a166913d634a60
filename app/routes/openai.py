"""OpenAI's API, relayed: completions, embeddings, responses; and the one model."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from app.admission import admitted
from app.answer import Answer
from app.description import GENERATION, errors
from app.errors import Refusal
from app.gateway import Gateway

router = APIRouter()


class Model(BaseModel):
    id: Annotated[str, Field(examples=["llm"])]
    object: str = "model"
    created: int = 0
    owned_by: str = "sluice"


class Models(BaseModel):
    object: str = "list"
    data: list[Model]


@router.post("/v1/chat/completions", responses=errors(*GENERATION))
@router.post("/v1/completions", responses=errors(*GENERATION))
@router.post("/v1/embeddings", responses=errors(*GENERATION))
@router.post("/v1/responses", responses=errors(*GENERATION))
async def generate(request: Request) -> Response:
    return Answer(await admitted(request, request.scope["path"]))


@router.get("/v1/models", responses=errors(401))
async def models(request: Request) -> Models:
    gateway: Gateway = request.app.state.gateway
    gateway.keys.of(request.headers.get("authorization"))
    return Models(data=[Model(id=gateway.settings.model_name)])


@router.get("/v1/models/{name:path}", responses=errors(401, 404))
async def one_model(name: str, request: Request) -> Model:
    gateway: Gateway = request.app.state.gateway
    gateway.keys.of(request.headers.get("authorization"))
    if name != gateway.settings.model_name:
        raise Refusal(404, "model_not_found", f"there is no model of that name, only {gateway.settings.model_name}")
    return Model(id=name)
