"""`sluice feedback export`: what users said, as JSON Lines for fine-tuning and for scoring."""

import json
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from app.store import Store
from release.errors import ReleaseError


class FeedbackUnreadable(ReleaseError):
    code = 1


async def read(url: str, what: str) -> list[dict[str, Any]]:
    """Every row of `rated` (ratings with the answers that they are about) or of `queries`.

    Raises:
        FeedbackUnreadable: a wrong address, or a database that does not answer or has no such tables.
    """
    store = opened(url)
    try:
        found: list[dict[str, Any]] = await getattr(store, what)()
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        cause = type(error).__name__
        raise FeedbackUnreadable(f"--database: {cause}: is it up, and has a gateway written to it?") from None
    finally:
        await store.engine.dispose()
    return found


def opened(url: str) -> Store:
    try:
        store = Store.at(url)
    except ValueError as error:
        raise FeedbackUnreadable(f"--database: {error}") from None
    file = store.engine.url.database or ""
    if store.engine.dialect.name == "sqlite" and not Path(file).is_file():  # SQLite would make one
        raise FeedbackUnreadable(f"--database: there is no file {file}")
    return store


def lines(rows: list[dict[str, Any]]) -> list[str]:
    return [json.dumps(row, ensure_ascii=False) for row in rows]


def examples(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What can be trained on: a chat as `messages`, a single text as `prompt` and `completion`, each with its rating.

    Only rows whose text was kept have one; a failure has no answer.
    """
    return [{**example(row["prompt"], row["answer"]), "rating": row["rating"]} for row in rows if row["answer"]]


def example(prompt: str, answer: str) -> dict[str, Any]:
    said = messages(prompt)
    if said is None:
        return {"prompt": prompt, "completion": answer}
    return {"messages": [*said, {"role": "assistant", "content": answer}]}


def messages(prompt: str) -> list[dict[str, Any]] | None:
    """A chat's messages, or those that stand for an `input` with its `instructions`; None for a single text."""
    try:
        asked = json.loads(prompt)
    except ValueError:
        return None
    before = []
    if isinstance(asked, dict) and {"input", "instructions"} >= set(asked) >= {"input"}:
        before = [{"role": "system", "content": asked["instructions"]}] if asked.get("instructions") else []
        asked = asked["input"]
        asked = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
    chat = isinstance(asked, list) and asked and all(isinstance(one, dict) and "role" in one for one in asked)
    return [*before, *asked] if chat else None
