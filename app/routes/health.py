"""/livez: the process answers; /readyz: it can serve."""

from fastapi import APIRouter, Request, Response

from app.gateway import Gateway

router = APIRouter()


@router.get("/livez")
async def live() -> dict[str, str]:
    return {"status": "ok"}


@router.get(
    "/readyz",
    responses={503: {"description": "it drains, or no engine of the stable arm is ready", "model": dict[str, str]}},
)
async def ready(request: Request, response: Response) -> dict[str, str]:
    gateway: Gateway = request.app.state.gateway
    if gateway.draining:
        response.status_code = 503
        return {"status": "draining"}
    if not gateway.board.ready:
        response.status_code = 503
        return {"status": "no engine of the stable arm is ready"}
    return {"status": "ok"}
