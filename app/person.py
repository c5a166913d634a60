"""Whom a flag's rule can aim at: what a request says of its user."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from openfeature.evaluation_context import EvaluationContext
from starlette.datastructures import Headers

from app.errors import Refusal

MOST, PROFILE_MOST = 64, 512  # characters of a header


@dataclass(slots=True)
class Person:
    """`user` is the id that shares are chosen by; without one everybody is somebody new each time."""

    user: str = ""
    key: str = ""  # the name of the API key
    region: str = ""
    device: str = ""
    profile: Mapping[str, str] = field(default_factory=dict)

    def context(self, arm: str = "") -> EvaluationContext:
        known = {"region": self.region, "device": self.device, "key": self.key, "arm": arm}
        return EvaluationContext(self.user or uuid.uuid4().hex, {**known, "profile": self.profile})


def described(headers: Headers, user: str, key: str) -> Person:
    """The person of a request.

    Raises:
        Refusal: a header says too much.
    """
    said = capped(headers, "x-sluice-profile", PROFILE_MOST)
    region, device = capped(headers, "x-sluice-region", MOST), capped(headers, "x-sluice-device", MOST)
    return Person(user, key, region, device, profile(said) if said else {})


def profile(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(";") if part.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}


def capped(headers: Headers, name: str, most: int) -> str:
    found = headers.get(name)
    if found is None:
        return ""
    found = found.strip()
    if len(found) > most:
        raise Refusal(400, "invalid_header", f"{name} holds at most {most} characters")
    return found
