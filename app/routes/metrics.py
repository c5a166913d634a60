"""/metrics, in Prometheus' text format."""

import time

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from app.gateway import Gateway
from app.metrics import ARMS

router = APIRouter()


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    gateway: Gateway = request.app.state.gateway
    gateway.metrics.forget(time.time())
    gateway.metrics.circuits.set(gateway.balance.open)
    for arm in ARMS:
        gateway.metrics.oldest.labels(arm).set(gateway.ledger.oldest(arm))
        gateway.metrics.inflight.labels(arm)
    return Response(generate_latest(gateway.metrics.registry), media_type=CONTENT_TYPE_LATEST)
