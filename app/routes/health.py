"""/livez: the process answers; /readyz, /health: it can serve."""

from typing import Any

from fastapi import APIRouter, Request, Response

from app.gateway import Gateway

router = APIRouter()
NOT_READY: dict[int | str, dict[str, Any]] = {
    503: {"description": "it drains, or no engine of the stable arm is ready", "model": dict[str, str]}
}


@router.get("/livez")
async def live() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/readyz", responses=NOT_READY)
@router.get("/health", responses=NOT_READY)  # where clients of vLLM look
async def ready(request: Request, response: Response) -> dict[str, str]:
    gateway: Gateway = request.app.state.gateway
    if gateway.draining:
        response.status_code = 503
        return {"status": "draining"}
    if not gateway.board.ready:
        response.status_code = 503
        return {"status": "no engine of the stable arm is ready"}
    return {"status": "ok"}
