"""Golden prompts: what the prober asks, and what an answer has to pass."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quality import checks

FOLDER = Path(__file__).parent / "probes"
KEYS = {"id", "language", "messages", "prompt", "max_tokens", "expect"}


class GoldenError(ValueError):
    """A golden set that cannot be used; the message names file, line and what is wrong."""


@dataclass(frozen=True)
class Golden:
    id: str
    language: str
    max_tokens: int
    messages: list[dict[str, str]] = field(default_factory=list)
    prompt: str = ""
    expect: list[str] = field(default_factory=lambda: list(checks.CHECKS))  # names of checks

    @property
    def path(self) -> str:
        return "/v1/chat/completions" if self.messages else "/v1/completions"

    def body(self, model: str, *, stream: bool) -> dict[str, Any]:
        said: dict[str, Any] = {"messages": self.messages} if self.messages else {"prompt": self.prompt}
        return {"model": model, "max_tokens": self.max_tokens, "stream": stream, **said}

    def failed(self, text: str) -> list[str]:
        return [name for name in self.expect if checks.CHECKS[name](text)]


def golden_of(line: str, where: str) -> Golden:
    try:
        given = json.loads(line)
    except ValueError as error:
        raise GoldenError(f"{where}: not JSON: {error}") from None
    if not isinstance(given, dict) or set(given) - KEYS:
        raise GoldenError(f"{where}: needs an object with keys of {', '.join(sorted(KEYS))}")
    if ("messages" in given) == ("prompt" in given):
        raise GoldenError(f"{where}: needs either messages or prompt")
    if unknown := set(given.get("expect", [])) - set(checks.CHECKS):
        raise GoldenError(f"{where}: expect: no check is named {', '.join(sorted(unknown))}")
    try:
        return Golden(**given)
    except TypeError as error:
        raise GoldenError(f"{where}: {error}") from None


def load(folder: Path = FOLDER) -> list[Golden]:
    """All golden prompts of a folder's *.jsonl files; GoldenError when there is none, or an id stands twice."""
    files = sorted(folder.glob("*.jsonl"))
    lines = [(f"{file}:{i}", line) for file in files for i, line in enumerate(file.open(encoding="utf-8"), 1)]
    found = [golden_of(line, where) for where, line in lines if line.strip()]
    if not found:
        raise GoldenError(f"{folder}: no golden prompt in any *.jsonl")
    if len({golden.id for golden in found}) < len(found):
        raise GoldenError(f"{folder}: an id stands twice")
    return found
