import subprocess
import sys
import time
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from lab import door

ROOT = Path(__file__).parent.parent.parent


async def fine(request: Request) -> PlainTextResponse:
    return PlainTextResponse("fine")


def client(do: str) -> TestClient:
    inner = Starlette(routes=[Route("/v1/completions", fine, methods=["POST"]), Route("/readyz", fine)])
    return TestClient(door.Faulty(inner, do))


def test_generations_fail_while_health_stays_true() -> None:
    faulty = client("http_500")
    assert faulty.post("/v1/completions").status_code == 500
    assert faulty.get("/readyz").text == "fine"


def test_a_slow_one_answers_rightly_and_later() -> None:
    faulty = client("slow")
    began = time.monotonic()
    assert faulty.post("/v1/completions").text == "fine"
    assert time.monotonic() - began >= door.SLOW_SECONDS


@pytest.mark.parametrize(("do", "said"), [("crash", "crashing at start"), ("explode", "is none of http_500, slow")])
def test_it_ends_at_once_with_one_line(do: str, said: str) -> None:
    line = [sys.executable, "-m", "lab.door"]
    done = subprocess.run(line, env={"SLUICE_LAB_FAULT": do}, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
