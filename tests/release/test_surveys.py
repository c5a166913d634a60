import asyncio
import json
import subprocess
import sys
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
    await store.add_queries([QUERY | {"query_id": name, "user_hash": name} for name in ("q2", "q3")])
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

    assert "terse v1 stable: n 3, ok 1" in done.output


@pytest.mark.parametrize(("ratings", "mixed"), [((-1, 0), False), ((3, 5), False), ((0, 2), True), ((-1, 5), True)])
async def test_thumbs_among_stars_are_told(url: str, ratings: tuple[int, ...], mixed: bool) -> None:
    store = Store.at(url)
    for user, rating in enumerate(ratings):
        await store.rate("q1", str(user), rating, None)
    await store.engine.dispose()
    done = await asyncio.to_thread(CliRunner().invoke, compare, ["report", "--database", url])

    assert ("thumbs" in done.stderr) is mixed
    assert done.exit_code == 0


@pytest.mark.parametrize("address", ["mysql://x", "sqlite:////nowhere/at/all.db"])
def test_a_database_that_cannot_be_read_is_one_line(address: str) -> None:
    done = CliRunner().invoke(said, ["export", "--database", address])

    assert done.exit_code == 1
    assert len(done.output.splitlines()) == 1


def test_what_only_reads_makes_no_database(tmp_path: Path) -> None:
    done = CliRunner().invoke(said, ["export", "--database", f"sqlite:///{tmp_path}/typo.db"])

    assert (done.exit_code, list(tmp_path.iterdir())) == (1, [])
    assert "typo.db" in done.output


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("x" * 5000)
    done = CliRunner().invoke(said, ["export", "--database", f"sqlite:///{tmp_path}/notes.db"])

    assert done.exit_code == 1
    assert len(done.output.splitlines()) == 1


CHAT = [{"role": "user", "content": "二加二?"}]


@pytest.fixture
async def kept(url: str) -> str:
    """Two of three rated answers with their text."""
    store = Store.at(url)
    await store.rate("q2", "u", 5, None)
    await store.rate("q3", "u", -1, None)
    await store.record("q2", json.dumps(CHAT), "四")
    await store.record("q3", "2+2=", "4\0")
    await store.engine.dispose()
    return url


def exported(url: str, *more: str) -> list[dict[str, Any]]:
    done = CliRunner().invoke(said, ["export", "--database", url, *more])
    return [json.loads(line) for line in done.output.splitlines()]


def test_export_for_tuning_holds_the_answers_whose_text_was_kept(kept: str) -> None:
    assert exported(kept, "--for", "tuning") == [
        {"messages": [*CHAT, {"role": "assistant", "content": "四"}], "rating": 5},
        {"prompt": "2+2=", "completion": "4", "rating": -1},
    ]


def test_lower_ratings_can_be_left_out(kept: str) -> None:
    assert [row["rating"] for row in exported(kept, "--for", "tuning", "--least", "1")] == [5]


def test_export_for_scoring_holds_every_rating_and_its_text_where_that_was_kept(kept: str) -> None:
    assert [(row["query_id"], row["answer"]) for row in exported(kept)] == [("q1", None), ("q2", "四"), ("q3", "4")]


def test_no_other_command_waits_for_a_database_library() -> None:
    """A rollback counts seconds, and an ORM's import is more than one of them."""
    program = "import sys; from release import cli; sys.argv = ['sluice', '--help']\ntry:\n cli.main()\nfinally:\n "
    program += "print('loaded', sorted({'alembic', 'numpy', 'scipy', 'sqlalchemy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "feedback" in done.stdout
    assert done.stdout.splitlines()[-1] == "loaded []"
