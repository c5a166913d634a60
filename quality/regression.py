"""A prompt that went wrong becomes a case of its own."""

import hashlib
import json
import os
from pathlib import Path

from quality import cases
from quality.judge import REGRESSION


def made(question: str, answer: str, keys: list[str], language: str, name: str = "") -> cases.Case:
    given = {
        "id": name or f"regression-{hashlib.sha256(question.encode()).hexdigest()[:10]}",
        "language": language,
        "tags": [REGRESSION],
        "question": question,
        "references": [answer],
        "keys": keys,
    }
    return cases.case_of(json.dumps(given, ensure_ascii=False), "the new case")


def added(case: cases.Case, file: Path) -> None:
    """Append the line, unless the folder's set would not load with it; then nothing is changed."""
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.write_text(before + ("\n" if before and not before.endswith("\n") else "") + cases.line_of(case), "utf-8")
    try:
        others = [one for one in sorted(file.parent.glob("*.jsonl")) if one != file]
        cases.load([*others, draft])
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
