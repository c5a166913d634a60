"""/livez: the process answers; /readyz, /health: it can serve."""

from fastapi import APIRouter, Request

from app.description import errors
from app.errors import Busy
from app.gateway import Gateway

router = APIRouter()


@router.get("/livez")
async def live() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/readyz", responses=errors(503))
@router.get("/health", responses=errors(503))  # where clients of vLLM look
async def ready(request: Request) -> dict[str, str]:
    gateway: Gateway = request.app.state.gateway
    if gateway.draining:
        raise Busy(503, "shutting_down", "this gateway is going away: ask another one")
    if not gateway.board.ready:
        raise Busy(503, "not_ready", "no engine of the stable arm is ready: try again shortly")
    return {"status": "ok"}
