from typing import Any

import pytest
from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from app.door import Door
from app.errors import ApiError, Refusal


async def answers(request: Request) -> Response:
    if (await request.body()) == b"no":
        raise Refusal(400, "invalid_json", "the body is not JSON")
    return Response(request.scope["route"].path)


async def refuse(_: Request, error: ApiError) -> Response:
    return JSONResponse(error.document, error.status)


async def usual(scope: Scope, receive: Receive, send: Send) -> None:
    await Response("the usual way", 299)(scope, receive, send)


def door() -> Door:
    return Door(usual, {"/v1/completions": APIRoute("/v1/completions", answers, methods=["POST"])}, refuse)


async def asked(path: str, method: str = "POST", body: bytes = b"", kind: str = "http") -> tuple[int, bytes]:
    sent: list[Message] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: Message) -> None:
        sent.append(message)

    await door()({"type": kind, "method": method, "path": path, "headers": []}, receive, send)
    return sent[0]["status"], sent[1]["body"]


async def test_a_generation_goes_straight_to_its_function_under_the_name_of_its_route() -> None:
    assert await asked("/v1/completions") == (200, b"/v1/completions")


@pytest.mark.parametrize(
    ("path", "method"), [("/v1/completions", "GET"), ("/v1/models", "POST"), ("/v1/completions/", "POST")]
)
async def test_all_else_takes_the_usual_way(path: str, method: str) -> None:
    assert (await asked(path, method))[0] == 299


async def test_a_refusal_is_answered_here() -> None:
    status, body = await asked("/v1/completions", body=b"no")

    assert status == 400
    assert b"invalid_json" in body
