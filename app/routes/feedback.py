"""POST /feedback: what a user thinks of an answer; acknowledged when it is committed."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from app import call
from app.description import errors
from app.errors import Busy, Refusal
from app.feedback import DOWN, Recorder, user_hash
from app.gateway import Gateway
from app.metrics import RATINGS

SECONDS = 5  # for the database to take a rating
SCALES = "-1 and 1 for thumbs and 0 for neither, or 1 to 5 for stars: one scale for all users of a deployment"
router = APIRouter()


class Feedback(BaseModel):
    query_id: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00]+$", examples=["5f0c"])]
    rating: Annotated[
        int,
        Field(ge=RATINGS[0], le=RATINGS[-1], description=SCALES, examples=[5]),
        call.WHOLE,
    ]
    comment: Annotated[str | None, Field(max_length=4000, pattern=r"^[^\x00]*$")] = None
    user: Annotated[str, Field(max_length=256)] = ""


class Kept(BaseModel):
    query_id: str
    rating: int


DESCRIBED = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": Feedback.model_json_schema()}}}
}


@router.post("/feedback", openapi_extra=DESCRIBED, responses=errors(400, 401, 404, 408, 413, 422, 429, 431, 503))
async def feedback(request: Request) -> Kept:
    gateway: Gateway = request.app.state.gateway
    key = gateway.keys.of(request.headers.get("authorization"))  # whoever may not ask may not rate
    with gateway.room.hold(key.name if key else "") as hold:
        said = call.valid(Feedback, await call.read(request, gateway.settings, hold))  # FastAPI takes any size
    recorder = open_for(gateway)
    if key:
        await gateway.quotas.request(key)
    recorder.slots.take(key)
    try:
        await rated(recorder, said, (request.headers.get("x-sluice-user") or said.user)[:256])
    finally:
        recorder.slots.free(key)
    gateway.metrics.feedback.labels(said.rating).inc()
    return Kept(query_id=said.query_id, rating=said.rating)


def open_for(gateway: Gateway) -> Recorder:
    """Raises Refusal where no feedback is taken."""
    if gateway.recorder is None:
        raise Refusal(404, "no_database", "this gateway keeps no feedback: set SLUICE_DATABASE_URL")
    if not gateway.flags.on("feedback"):
        raise Refusal(404, "feedback_off", "feedback is switched off here")
    return gateway.recorder


async def rated(recorder: Recorder, said: Feedback, user: str) -> None:
    """Returns when the rating is committed.

    Raises:
        Refusal: nobody knows that query, or the database does not answer.
    """
    try:
        async with asyncio.timeout(SECONDS):
            if not await recorder.knows(said.query_id):
                raise Refusal(404, "unknown_query", "no answer of this gateway has that query_id")
            await recorder.store.rate(said.query_id, user_hash(user, recorder.salt), said.rating, said.comment)
    except DOWN:
        raise Busy(503, "database_down", "the database does not answer: try again") from None
