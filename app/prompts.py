"""Prompt templates by name, which variants choose: a YAML file that goes with the release."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from app.errors import first_wrong
from app.whole import CHAT, COMPLETIONS, RESPONSES

PLACE = "{prompt}"


class Prompt(BaseModel):
    """`system` is said before a chat that says none itself; `template` stands around the last thing a user said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    system: str = Field(default="", max_length=100_000)
    template: str = Field(default=PLACE, max_length=100_000)

    @field_validator("template")
    @classmethod
    def has_one_place(cls, text: str) -> str:
        if text.count(PLACE) != 1:
            raise ValueError(f"a template holds {PLACE} once")
        return text

    def around(self, text: Any) -> Any:
        return self.template.replace(PLACE, text) if isinstance(text, str) else text

    def applied(self, document: dict[str, Any], path: str) -> dict[str, Any]:
        """The request with this prompt in it; texts in parts, and prompts as tokens, stay as they are."""
        if path == CHAT:
            return {**document, "messages": self.chat(document.get("messages"))}
        if path == COMPLETIONS:
            return {**document, "prompt": self.around(document.get("prompt"))}
        if path == RESPONSES:
            said = {"instructions": self.system} if self.system else {}
            return {**said, **document, "input": self.around(document.get("input"))}
        return document

    def chat(self, messages: Any) -> Any:
        if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
            return messages  # the engine says what is wrong with it
        last = max((at for at, one in enumerate(messages) if one.get("role") == "user"), default=-1)
        changed = [
            {**one, "content": self.around(one.get("content"))} if at == last else one
            for at, one in enumerate(messages)
        ]
        if self.system and not any(one.get("role") in ("system", "developer") for one in messages):
            return [{"role": "system", "content": self.system}, *changed]
        return changed


Prompts = dict[str, Prompt]


def read(text: str) -> Prompts:
    """The prompts that a file holds; ValueError in one line for one that cannot be used."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise ValueError("no mapping of names to prompts")
    found = {}
    for name, one in document.items():
        try:
            found[str(name)] = Prompt.model_validate(one)
        except ValidationError as error:
            where, what = first_wrong(error)
            raise ValueError(f"{'.'.join(filter(None, (str(name), where)))}: {what}") from None
    return found


def loaded(path: Path) -> Prompts:
    """The prompts of a file. Raises as `read`, with the file named."""
    try:
        return read(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
