"""What a variant changes in a request before an engine sees it."""

from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.prompts import Prompt
from app.whole import CHAT, COMPLETIONS, RESPONSES

NONE = "none"  # the variant of whoever has none


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Parameters(Strict):
    """How the engine samples, where the client does not say it itself."""

    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=-1)
    min_p: float | None = Field(default=None, ge=0, le=1)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    repetition_penalty: float | None = Field(default=None, gt=0, le=2)

    @cached_property
    def given(self) -> dict[str, Any]:
        return self.model_dump(exclude_none=True)


OF_RESPONSES = ("temperature", "top_p")  # the others are not in that API


class Change(Strict):
    """The model's or an adapter's name, a prompt of the prompts file, sampling parameters."""

    model: str | None = Field(default=None, min_length=1, max_length=200)
    prompt: str | None = None
    parameters: Parameters = Parameters()
    text: Prompt | None = Field(default=None, exclude=True)  # the prompt that `prompt` names, never the file's to give

    def applied(self, document: dict[str, Any], path: str) -> dict[str, Any]:
        """The request as this variant has it; what the client says of sampling itself stands."""
        changed = {**document, "model": self.model} if self.model else document
        if path in (CHAT, COMPLETIONS, RESPONSES):
            given = self.parameters.given
            given = {name: given[name] for name in OF_RESPONSES if name in given} if path == RESPONSES else given
            missing = {name: value for name, value in given.items() if changed.get(name) is None}
            changed = {**changed, **missing} if missing else changed
        return self.text.applied(changed, path) if self.text else changed


UNCHANGED = Change()
