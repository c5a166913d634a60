"""`sluice feedback export`: what users said, as JSON Lines for fine-tuning and for scoring."""

import json
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
    try:
        store = Store.at(url)
    except ValueError as error:
        raise FeedbackUnreadable(f"--database: {error}") from None
    try:
        found: list[dict[str, Any]] = await getattr(store, what)()
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        cause = type(error).__name__
        raise FeedbackUnreadable(f"--database: {cause}: is it up, and has a gateway written to it?") from None
    finally:
        await store.engine.dispose()
    return found


def lines(rows: list[dict[str, Any]]) -> list[str]:
    return [json.dumps(row, ensure_ascii=False) for row in rows]
