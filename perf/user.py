"""Locust users that send when their schedule says so and never wait for an answer before the next request.

A user of Locust is here a source of requests: so many per second, however many answers are due.
"""

import itertools
import json
import os
import random
import time
from collections.abc import Iterator
from typing import Any

import gevent
from gevent.pool import Pool
from geventhttpclient import HTTPClient
from locust import User, task

from perf.frames import Frames
from perf.mix import CONTEXT, Mix, Prompt
from perf.sample import OK, Sample

CONNECTIONS = 20_000  # a pool that fills up would hold requests back, and hide that the server is slow
TIMEOUT_SECONDS = 120.0
FRAME_END = b"\n\n"
EARLY = 0.0005  # seconds that a request may leave before its time


class Client:
    """Sends one prompt to one server and measures from the intended start on."""

    def __init__(self, url: str, model: str) -> None:
        self.model = model
        self.http = HTTPClient.from_url(
            url, concurrency=CONNECTIONS, connection_timeout=TIMEOUT_SECONDS, network_timeout=TIMEOUT_SECONDS
        )

    def streamed(self, prompt: Prompt, sample: Sample, zero: float) -> None:
        """Ask for a stream; `zero` is when the run's clock was 0."""
        began = zero + sample.intended
        sample.sent = time.perf_counter() - began
        frames = Frames(sample)
        with self.posted("/v1/chat/completions", prompt.body(self.model)) as reply:
            if reply.status_code != 200:
                sample.outcome = f"http_{reply.status_code}"
                return
            while frame := reply.readline(FRAME_END):
                frames.feed(frame, time.perf_counter() - began)
        frames.close()

    def predicted(self, prompt: Prompt, sample: Sample, zero: float) -> None:
        """Ask `/predict`, which answers in one piece."""
        sample.sent = time.perf_counter() - zero - sample.intended
        with self.posted("/predict", prompt.simple()) as reply:
            if reply.status_code != 200:
                sample.outcome = f"http_{reply.status_code}"
                return
            sample.tokens = tokens_of(json.loads(reply.read()).get("tokens"))

    def posted(self, path: str, body: dict[str, Any]) -> Any:
        return self.http.post(path, body=json.dumps(body).encode(), headers={"content-type": "application/json"})


def tokens_of(given: Any) -> int:
    """`tokens` of an answer of /predict: a number, or numbers by direction."""
    if isinstance(given, dict):
        given = given.get("out") or given.get("completion")
    return given if isinstance(given, int) else 0


class Source(User):
    """A Poisson source of requests; `PERF_RATE` per second and user, so that N users are N times as many."""

    abstract = True
    kind = ""
    numbers = itertools.count()

    def on_start(self) -> None:
        env = os.environ.get
        self.label = self.kind
        self.zero = time.perf_counter()
        self.pool = Pool()
        worker = getattr(self.environment.runner, "worker_index", 0)  # so that no two machines ask the same
        self.random = random.Random(f"{env('PERF_SEED', '1')} {worker} {next(self.numbers)}")  # noqa: S311
        self.prompts = iter(Mix(self.random.randrange(2**32), int(env("PERF_CONTEXT", CONTEXT))))
        self.rate = float(env("PERF_RATE", "1"))
        self.due = self.random.expovariate(self.rate)
        self.client = Client(self.host, env("PERF_MODEL", "sluice-tiny"))

    def on_stop(self) -> None:
        """What is under way ends; Locust's own --stop-timeout says how long that may take."""
        self.pool.join()

    @task
    def arrive(self) -> None:
        pause(self.zero + self.due)
        self.begin(self.due, next(self.prompts))
        self.due += self.random.expovariate(self.rate)

    def begin(self, due: float, prompt: Prompt) -> None:
        sample = Sample(self.label, prompt.kind, prompt.language, due)
        self.pool.spawn(self.measured, prompt, sample)

    def measured(self, prompt: Prompt, sample: Sample) -> None:
        try:
            self.ask(prompt, sample)
        except Exception as error:  # whatever a broken server makes a client raise is a failure of one class
            sample.outcome = type(error).__name__
        sample.end = time.perf_counter() - self.zero - sample.intended
        self.environment.events.request.fire(**entry(self.kind, "e2e", sample.end, sample, length=sample.tokens))
        self.report(sample)

    def ask(self, prompt: Prompt, sample: Sample) -> None:
        raise NotImplementedError

    def report(self, sample: Sample) -> None:
        """Every figure of its own as a row of Locust's table; `events.sample` is where a run keeps the whole."""
        if sample.outcome == OK:
            for name, value in figures(sample):
                self.environment.events.request.fire(**entry(self.kind, name, value, sample))
        for heard in getattr(self.environment, "samples", ()):
            heard(sample)


class ChatUser(Source):
    kind = "chat"

    def ask(self, prompt: Prompt, sample: Sample) -> None:
        self.client.streamed(prompt, sample, self.zero)


class PredictUser(Source):
    kind = "predict"

    def ask(self, prompt: Prompt, sample: Sample) -> None:
        self.client.predicted(prompt, sample, self.zero)


def pause(until: float) -> None:
    """Sleep to a time of the performance counter; 0 still lets the answers that wait be read."""
    gevent.sleep(max(0.0, until - time.perf_counter()))
    while (left := until - time.perf_counter()) > EARLY:  # gevent counts from its loop's last round
        gevent.sleep(left)


def figures(sample: Sample) -> Iterator[tuple[str, float]]:
    if sample.first is not None:
        yield "TTFT", sample.first
    if sample.tpot is not None:
        yield "TPOT", sample.tpot
    if sample.gaps:
        yield "ITL max", max(sample.gaps)


def entry(kind: str, name: str, seconds: float, sample: Sample, length: int = 0) -> dict[str, Any]:
    """One row for Locust, whose content length is here a number of tokens."""
    failed = RuntimeError(sample.outcome) if sample.outcome != OK else None
    return {
        "request_type": name,
        "name": kind,
        "response_time": seconds * 1000,
        "response_length": length,
        "exception": failed,
        "context": {},
    }
