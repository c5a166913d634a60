import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.store import Store
from release.surveys import compare, said

QUERY: dict[str, Any] = {
    "query_id": "q1",
    "user_hash": "u",
    "version": "v1",
    "revision": "2",
    "arm": "stable",
    "variant": "terse",
    "trace_id": "",
    "outcome": "ok",
    "ttft_seconds": 0.1,
    "seconds": 1.0,
    "tokens": 3,
}


@pytest.fixture
async def url(tmp_path: Path) -> str:
    address = f"sqlite:///{tmp_path}/a.db"
    store = Store.at(address)
    await store.migrate()
    await store.add_queries([QUERY])
    await store.rate("q1", "u", 1, "好")
    await store.engine.dispose()
    return address


def test_export_is_a_line_of_json_per_rating(url: str) -> None:
    done = CliRunner().invoke(said, ["export", "--database", url])

    (line,) = done.output.splitlines()
    row = json.loads(line)
    assert (row["query_id"], row["rating"], row["comment"], row["version"]) == ("q1", 1, "好", "v1")


def test_report_names_each_variant(url: str) -> None:
    done = CliRunner().invoke(compare, ["report", "--database", url])

    assert "terse v1 stable: n 1, ok 1" in done.output


@pytest.mark.parametrize("address", ["mysql://x", "sqlite:////nowhere/at/all.db"])
def test_a_database_that_cannot_be_read_is_one_line(address: str) -> None:
    done = CliRunner().invoke(said, ["export", "--database", address])

    assert done.exit_code == 1
    assert len(done.output.splitlines()) == 1
