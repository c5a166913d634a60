"""What rings when Argo has a verdict: the address that starts the workflow `verdict`, as a forge has it.

It also gives workflow runs identity tokens, as a forge does: the lab's own, for the lab's API server trusts no other.
"""

import contextlib
import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType

from lab.errors import NotReady
from lab.listener import Quiet, listening
from lab.runner import Ran

PATH = "/actions/workflows/verdict.yml/dispatches"
Answer = Callable[[Mapping[str, str]], Ran]


@dataclass
class Ring:
    """One notification; times are unix seconds."""

    at: float
    inputs: Mapping[str, str]
    ended: float = 0.0
    ran: Ran | None = None

    @property
    def seconds(self) -> float:
        return round(self.ended - self.at, 1)

    @property
    def group(self) -> tuple[str, ...]:
        """What the workflow's concurrency group is made of."""
        return tuple(self.inputs.get(key, "") for key in ("environment", "version", "part"))

    def about(self, environment: str, version: str, verdict: str, part: str = "engine") -> bool:
        given = self.inputs
        told = (given["environment"], given["version"], given["verdict"], given.get("part", "engine"))
        return told == (environment, version, verdict, part)


@dataclass
class Bell:
    """A context; `answer` runs the workflow, those of one concurrency group one after the other."""

    secret: str  # both for who rings and for who asks for a token
    token: str
    answer: Answer
    rings: list[Ring] = field(default_factory=list)

    def __enter__(self) -> "Bell":
        self.heard, self.may = threading.Condition(), threading.Event()
        self.may.set()
        self.groups: dict[tuple[str, ...], threading.Lock] = defaultdict(threading.Lock)
        self.open = contextlib.ExitStack()
        self.pool = self.open.enter_context(ThreadPoolExecutor(8))
        self.address = f"http://{self.open.enter_context(listening(handler(self)))}"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.open.close()

    def rung(self, inputs: Mapping[str, str]) -> None:
        ring = Ring(time.time(), inputs)
        self.rings.append(ring)
        self.pool.submit(self.work, ring)

    @contextlib.contextmanager
    def later(self) -> Iterator[None]:
        """Answer no notification meanwhile: a forge's runner is another machine, here it takes CPU from what starts."""
        self.may.clear()
        try:
            yield
        finally:
            self.may.set()

    def work(self, ring: Ring) -> None:
        self.may.wait()
        with self.groups[ring.group]:
            ran = self.answer(ring.inputs)
        with self.heard:
            ring.ran, ring.ended = ran, time.time()
            self.heard.notify_all()

    def wait(
        self,
        environment: str,
        version: str,
        verdict: str,
        seconds: float = 240,
        since: float = 0.0,
        part: str = "engine",
    ) -> Ring:
        """The first notification of that kind since then, once its workflow has ended; raises NotReady."""

        def settled() -> Ring | None:
            found = (one for one in self.rings if one.at >= since and one.about(environment, version, verdict, part))
            return next((one for one in found if one.ended), None)

        with self.heard:
            found = self.heard.wait_for(settled, timeout=seconds)
        if found is None:
            told = [(one.inputs["environment"], one.inputs["version"], one.inputs["verdict"]) for one in self.rings]
            raise NotReady(f"{environment}: Argo did not tell that {version} was {verdict}; it told {told}")
        return found


def handler(bell: Bell) -> type[Quiet]:
    class Handler(Quiet):
        def do_POST(self) -> None:  # noqa: N802 - names that http.server looks for
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            if not self.path.endswith(PATH) or not self.known():
                return self.reply(404)
            try:
                inputs = {str(key): str(value) for key, value in json.loads(body)["inputs"].items()}
            except (ValueError, KeyError, AttributeError):
                return self.reply(422)
            bell.rung(inputs)
            return self.reply(204)

        def do_GET(self) -> None:  # noqa: N802
            if not self.path.startswith("/token") or not self.known():
                return self.reply(404)
            return self.reply(200, json.dumps({"value": bell.token}).encode())

        def known(self) -> bool:
            return self.headers.get("authorization") == f"Bearer {bell.secret}"

    return Handler
