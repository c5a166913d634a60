"""A fake engine: speaks vLLM's OpenAI API, starts in a second, and does what its environment says."""

import asyncio
import contextlib
import hashlib
import json
import os
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

TEXT = (
    "every answer is counted before the next step ; 发布 逐步 放量 ， 每个 回答 都 有 记录 。 a canary sees few users "
)
WORDS = TEXT.split()
MAX_TOKENS = 4096
VERSION = "fake"


@dataclass(frozen=True)
class Settings:
    model: str = "sluice-tiny"
    port: int = 8000
    tokens: int = 16
    ttft_ms: float = 20
    itl_ms: float = 2
    shutdown_seconds: float = 30

    @classmethod
    def from_env(cls) -> "Settings":
        env = os.environ.get
        return cls(
            model=env("SLUICE_MODEL_NAME", cls.model),
            port=int(env("SLUICE_ENGINE_PORT", cls.port)),
            tokens=int(env("SLUICE_ENGINE_TOKENS", cls.tokens)),
            ttft_ms=float(env("SLUICE_ENGINE_TTFT_MS", cls.ttft_ms)),
            itl_ms=float(env("SLUICE_ENGINE_ITL_MS", cls.itl_ms)),
            shutdown_seconds=float(env("SLUICE_SHUTDOWN_SECONDS", cls.shutdown_seconds)),
        )


class Witness:
    """The engine's own metrics, named as vLLM names them."""

    def __init__(self, model: str) -> None:
        self.registry = CollectorRegistry()
        names, labels = ("model_name", "engine"), (model, "0")
        make: dict[str, Any] = {"labelnames": names, "registry": self.registry}
        self.running = Gauge("vllm:num_requests_running", "Requests in execution.", **make).labels(*labels)
        self.waiting = Gauge("vllm:num_requests_waiting", "Requests in the queue.", **make).labels(*labels)
        self.cache = Gauge("vllm:kv_cache_usage_perc", "KV cache in use, 1 is full.", **make).labels(*labels)
        self.prompt = Counter("vllm:prompt_tokens", "Prompt tokens read.", **make).labels(*labels)
        self.generated = Counter("vllm:generation_tokens", "Tokens written.", **make).labels(*labels)
        self.ttft = Histogram("vllm:time_to_first_token_seconds", "Time to first token.", **make).labels(*labels)
        self.itl = Histogram("vllm:inter_token_latency_seconds", "Time between tokens.", **make).labels(*labels)
        success = Counter("vllm:request_success", "Finished.", (*names, "finished_reason"), registry=self.registry)
        self.finished = {reason: success.labels(*labels, reason) for reason in ("stop", "length", "abort")}

    @contextlib.contextmanager
    def request(self) -> Iterator[None]:
        self.running.inc()
        try:
            yield
        except BaseException:
            self.finished["abort"].inc()
            raise
        finally:
            self.running.dec()


@dataclass
class Answer:
    """One request and what the engine will say to it."""

    prompt: str
    chat: bool
    model: str
    limit: int
    natural: int
    with_usage: bool
    id: str
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def words(self) -> list[str]:
        seed = int.from_bytes(hashlib.blake2b(self.prompt.encode(), digest_size=2).digest())
        count = min(self.natural, self.limit)
        return [WORDS[(seed + i) % len(WORDS)] + " " for i in range(count)]

    @property
    def finish(self) -> str:
        return "length" if self.limit < self.natural else "stop"

    @property
    def usage(self) -> dict[str, Any]:
        asked, written = max(1, len(self.prompt) // 4), len(self.words)
        return {"prompt_tokens": asked, "total_tokens": asked + written, "completion_tokens": written}

    def body(self, choices: list[dict[str, Any]], *, chunk: bool = False) -> dict[str, Any]:
        kind = ("chat.completion.chunk" if chunk else "chat.completion") if self.chat else "text_completion"
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model, "choices": choices}

    def whole(self) -> dict[str, Any]:
        text = "".join(self.words)
        said = {"message": {"role": "assistant", "content": text}} if self.chat else {"text": text}
        choice = {"index": 0, **said, "logprobs": None, "finish_reason": self.finish, "stop_reason": None}
        return self.body([choice]) | {"usage": self.usage | {"prompt_tokens_details": None}}

    def chunk(self, text: str, finish: str | None = None, **delta: str) -> dict[str, Any]:
        said = {"delta": {**delta, "content": text}} if self.chat else {"text": text}
        return self.body([{"index": 0, **said, "logprobs": None, "finish_reason": finish}], chunk=True)


class Refused(Exception):
    def __init__(self, status: int, kind: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": status}}


def prompt_of(asked: dict[str, Any], *, chat: bool) -> str:
    name = "messages" if chat else "prompt"
    given = asked.get(name)
    if not given:
        raise Refused(400, "BadRequestError", f"field required: {name}", name)
    return given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)


def answer_to(asked: dict[str, Any], settings: Settings, *, chat: bool, request_id: str) -> Answer:
    model = asked.get("model") or settings.model
    if model != settings.model:
        raise Refused(404, "NotFoundError", f"The model `{model}` does not exist.", "model")
    limit = asked.get("max_completion_tokens") or asked.get("max_tokens") or MAX_TOKENS
    if not isinstance(limit, int) or not 1 <= limit <= MAX_TOKENS:
        raise Refused(400, "BadRequestError", f"max_tokens must be between 1 and {MAX_TOKENS}, got {limit}.")
    return Answer(
        prompt=prompt_of(asked, chat=chat),
        chat=chat,
        model=model,
        limit=limit,
        natural=settings.tokens,
        with_usage=bool((asked.get("stream_options") or {}).get("include_usage")),
        id=("chatcmpl-" if chat else "cmpl-") + request_id,
    )


class Engine:
    def __init__(self, settings: Settings) -> None:
        self.settings, self.witness = settings, Witness(settings.model)
        self.started = int(time.time())

    async def paced(self, answer: Answer) -> AsyncIterator[str]:
        """Each token when it is due; a caller that goes away is counted as an abort."""
        self.witness.prompt.inc(answer.usage["prompt_tokens"])
        for i, word in enumerate(answer.words):
            pause = (self.settings.itl_ms if i else self.settings.ttft_ms) / 1000
            await asyncio.sleep(pause)
            (self.witness.itl if i else self.witness.ttft).observe(pause)
            self.witness.generated.inc()
            yield word
        self.witness.finished[answer.finish].inc()

    async def frames(self, answer: Answer) -> AsyncIterator[dict[str, Any]]:
        if answer.chat:
            yield answer.chunk("", role="assistant")
        left = len(answer.words)
        async for word in self.paced(answer):
            left -= 1
            yield answer.chunk(word, None if left else answer.finish)
        if answer.with_usage:
            yield answer.body([], chunk=True) | {"usage": answer.usage}

    async def stream(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        reply = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        await reply.prepare(request)
        async for frame in self.frames(answer):
            await reply.write(f"data: {json.dumps(frame, ensure_ascii=False)}\n\n".encode())
        await reply.write(b"data: [DONE]\n\n")
        return reply

    async def complete(self, request: web.Request) -> web.StreamResponse:
        chat = request.path.endswith("/chat/completions")
        request_id = request.headers.get("x-request-id", uuid.uuid4().hex)
        try:
            asked = await asked_of(request)
            answer = answer_to(asked, self.settings, chat=chat, request_id=request_id)
        except Refused as refused:
            return web.json_response(refused.body, status=refused.status)
        with self.witness.request():
            if asked.get("stream"):
                return await self.stream(request, answer)
            async for _ in self.paced(answer):
                pass
        return web.json_response(answer.whole())

    async def models(self, request: web.Request) -> web.Response:
        card = {"id": self.settings.model, "object": "model", "created": self.started, "owned_by": "vllm"}
        card |= {"root": self.settings.model, "parent": None, "max_model_len": MAX_TOKENS, "permission": []}
        return web.json_response({"object": "list", "data": [card]})

    async def health(self, request: web.Request) -> web.Response:
        return web.Response()

    async def version(self, request: web.Request) -> web.Response:
        return web.json_response({"version": VERSION})

    async def metrics(self, request: web.Request) -> web.Response:
        text = generate_latest(self.witness.registry)
        return web.Response(body=text, headers={"content-type": "text/plain; version=0.0.4; charset=utf-8"})


async def asked_of(request: web.Request) -> dict[str, Any]:
    try:
        asked = await request.json()
    except ValueError as error:
        raise Refused(400, "BadRequestError", f"the body is not JSON: {error}") from None
    if not isinstance(asked, dict):
        raise Refused(400, "BadRequestError", "the body is not an object")
    return asked


def create_app(settings: Settings) -> web.Application:
    engine = Engine(settings)
    app = web.Application(client_max_size=2**20)
    app.router.add_post("/v1/chat/completions", engine.complete)
    app.router.add_post("/v1/completions", engine.complete)
    app.router.add_get("/v1/models", engine.models)
    app.router.add_get("/health", engine.health)
    app.router.add_get("/version", engine.version)
    app.router.add_get("/metrics", engine.metrics)
    return app


def main() -> None:
    settings = Settings.from_env()
    grace = settings.shutdown_seconds
    # with cancellation, a caller that hangs up frees its slot, as in vLLM
    web.run_app(
        create_app(settings), port=settings.port, shutdown_timeout=grace, handler_cancellation=True, access_log=None
    )


if __name__ == "__main__":
    main()
