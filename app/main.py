"""Builds one gateway from its settings: `create_app(settings)`; nothing is built at import."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Coroutine, Mapping
from types import SimpleNamespace
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from app.arms import Board, static
from app.baseline import Baseline
from app.budget import Budget
from app.checks import Checker
from app.cluster import ClusterArms
from app.counting import Counting
from app.description import describe
from app.door import Door
from app.errors import ApiError, Refusal
from app.exchange import Ledger
from app.feedback import recording
from app.flags import Flags
from app.flags import loaded as flags_of
from app.gateway import Gateway, unplaced
from app.journal import Journal
from app.keys import Keys
from app.kube import Access
from app.metrics import Metrics
from app.mounted import Mounted
from app.pool import Pool
from app.quota import Quotas
from app.routes import feedback, health, metrics, openai, predict
from app.samples import sampling
from app.settings import Settings
from app.shed import Shed
from app.slots import Slots
from app.traces import Traces
from app.turns import Turns
from app.words import Words, loaded

LEASE_SPARE_SECONDS = 60  # beyond the longest request


class Application(FastAPI):
    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:  # type: ignore[override]
        """As FastAPI and Starlette have it, but for their two coroutines around each step of a request."""
        scope["app"] = self
        self.middleware_stack = self.middleware_stack or self.build_middleware_stack()
        return self.middleware_stack(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        """Without Starlette's outermost layer: every frame passes it, and what it does `Counting` has done already."""
        outermost: Any = super().build_middleware_stack()
        stack: ASGIApp = outermost.app
        return stack


def create_app(settings: Settings) -> FastAPI:
    counters = Metrics(settings.forget_seconds)
    app = Application(lifespan=lifespan)
    describe(app, settings)
    # in Starlette's own each look at an attribute fails first, with an error that is made to say so
    app.state = SimpleNamespace(settings=settings, metrics=counters, turns=Turns())  # type: ignore[assignment]
    for route in (openai, predict, feedback, health, metrics):
        app.include_router(route.router)
    app.state.journal = journal = Journal(settings.salt, on=settings.log_level in ("debug", "info"))
    routes = {one.path: one for one in app.routes if isinstance(one, APIRoute) and one.endpoint is openai.generate}
    app.state.shed = Shed(app, routes, counters.http, journal)
    app.add_middleware(Door, routes=routes, refuse=api_error)
    app.add_middleware(Counting, requests=counters.http, ended=journal.add, said=lambda: unplaced(app))
    app.add_exception_handler(ApiError, api_error)
    app.add_exception_handler(HTTPException, http_error)
    return app


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Own the one pool and the watches for as long as the application runs."""
    settings: Settings = app.state.settings
    counters: Metrics = app.state.metrics
    baseline = Baseline(counters, {"ttft": settings.slow_least_seconds, "tpot": settings.slow_least_tpot_seconds})
    words = Mounted(settings.words_file, loaded, Words(), counters.words_broken, "words")
    texts = settings.prompts_file
    flags = Mounted(
        settings.flags_file, lambda path: flags_of(path, texts), Flags(), counters.flags_broken, "flags", texts
    )
    checker = Checker(counters, lambda: words.now, lambda: flags.now.on("output-checks"))
    ledger = Ledger(counters, baseline, checker, settings.max_per_user)
    board = Board(counters.begin, baseline.begin)
    keys = Keys(settings.keys_file, counters.keys_broken)
    budget = Budget(settings.rescue_share if settings.rescue else 0)
    async with (
        contextlib.aclosing(Pool(settings.connect_seconds, app.state.turns)) as pool,
        running(checker.run()),
        running(keys.run()),
        running(app.state.journal.run()),
        running(words.run()),
        running(flags.run()),
        contextlib.aclosing(Traces(settings)) as traces,
        recording(settings.database_url, settings.salt, counters.queries_lost) as recorder,
        sampling(settings, recorder) as samples,
        arms(settings, board),
    ):
        quotas = Quotas(settings.limits_url, settings.total_seconds + LEASE_SPARE_SECONDS)
        slots = Slots(settings.max_inflight, settings.max_inflight_per_engine, quotas.whose)
        parts = (settings, counters, ledger, board, pool, budget, keys, slots, quotas, traces, flags)
        app.state.gateway = gateway = Gateway(*parts, recorder=recorder, samples=samples, words=words)
        board.hears(lambda arms: gateway.balance.known((*arms.stable, *arms.canary)))
        board.hears(slots.fit)
        yield


@contextlib.asynccontextmanager
async def arms(settings: Settings, board: Board) -> AsyncIterator[None]:
    if not settings.rollout:
        board.show(static(settings))
        yield
        return
    async with running(ClusterArms(settings, board).run(Access.found())):
        yield


@contextlib.asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Beside the block, and no longer."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def document(error: ApiError, request: Request, more: Mapping[str, str] | None = None) -> JSONResponse:
    said = {**getattr(request.state, "headers", {}), **error.headers, **(more or {})}
    return JSONResponse(error.document, status_code=error.status, headers=said)


async def api_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)  # noqa: S101 - registered for nothing else
    return document(error, request)


async def http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "refused")
    refusal = Refusal(error.status_code, code, f"{request.method}: {error.detail}")
    return document(refusal, request, error.headers)  # with the methods that are allowed
