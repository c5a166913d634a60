"""Builds one gateway from its settings: `create_app(settings)`; nothing is built at import."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import aiohttp
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app.arms import Board, static
from app.baseline import Baseline
from app.cluster import ClusterArms
from app.counting import Counting
from app.errors import ApiError, Refusal
from app.exchange import Ledger
from app.feedback import recording
from app.gateway import Gateway
from app.kube import Access
from app.metrics import Metrics
from app.routes import feedback, health, metrics, openai, predict
from app.settings import Settings

KEEP_ALIVE_SECONDS = 2


def create_app(settings: Settings) -> FastAPI:
    counters = Metrics(settings.forget_seconds)
    app = FastAPI(title="Sluice gateway", lifespan=lifespan)
    app.state.settings, app.state.metrics = settings, counters
    for route in (openai, predict, feedback, health, metrics):
        app.include_router(route.router)
    app.add_middleware(Counting, requests=counters.http)
    app.add_exception_handler(ApiError, api_error)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http_error)
    return app


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Own the one pooled session and the watches for as long as the application runs."""
    settings: Settings = app.state.settings
    counters: Metrics = app.state.metrics
    baseline = Baseline(counters, settings.slow_least_seconds)
    ledger = Ledger(counters, baseline, settings.max_per_user)
    board = Board(counters.begin, baseline.begin)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=settings.connect_seconds)
    # admission is our own; uvicorn, which vLLM runs on, closes an idle connection after 5 s: never send on one so old
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS)
    async with (
        recording(settings.database_url, settings.salt) as recorder,
        aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=True) as session,
    ):
        app.state.gateway = Gateway(settings, counters, baseline, ledger, board, session, recorder=recorder)
        app.state.recorder = recorder
        async with arms(settings, board):
            yield


@contextlib.asynccontextmanager
async def arms(settings: Settings, board: Board) -> AsyncIterator[None]:
    if not settings.rollout:
        board.show(static(settings))
        yield
        return
    watching = asyncio.create_task(ClusterArms(settings, board).run(Access.found()))
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def document(error: ApiError, request: Request) -> JSONResponse:
    said = dict(getattr(request.state, "headers", {}))
    outcome = getattr(error, "outcome", None)
    if outcome:
        said["x-sluice-outcome"] = outcome
    if error.status in (429, 503):
        said["retry-after"] = "1"
    return JSONResponse(error.document, status_code=error.status, headers=said)


async def api_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)  # noqa: S101 - registered for nothing else
    return document(error, request)


async def invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for nothing else
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:]) or "body"
    return document(Refusal(422, "invalid_request", f"{where}: {first['msg']}"), request)


async def http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "refused")
    return document(Refusal(error.status_code, code, f"{request.method} {request.url.path}: {error.detail}"), request)
