import asyncio
import getpass
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.store import Store
from lab import database, paths, process
from lab.errors import NotReady, Refused
from model.running import free_port


@pytest.fixture(scope="module")
def server() -> Iterator[None]:
    """The lab's own, at an address that this machine has without a lab."""
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    folder.chmod(0o755)  # its account passes through
    with pytest.MonkeyPatch.context() as patch:
        for name in ("STATE", "LOGS", "RUN"):
            patch.setattr(paths, name, folder if name == "STATE" else folder / name)
        patch.setattr(paths, "NODE_IP", "127.0.0.1")
        patch.setattr(paths, "POSTGRES_PORT", free_port())
        patch.setattr(database, "ACCESS", database.ACCESS.replace(paths.POD_CIDR, "127.0.0.0/8"))
        if os.getuid() != 0:  # then it runs as whoever tests
            patch.setattr(database, "ACCESS", database.ACCESS.replace(database.ACCOUNT, getpass.getuser()))
            patch.setattr(database, "ACCOUNT", getpass.getuser())
            patch.setattr(database, "AS_ACCOUNT", ())
        database.create()
        program = database.server()
        try:
            program.start()
            program.wait()
            yield
        finally:
            process.stop(program.name, first=signal.SIGINT)
            shutil.rmtree(folder)


@pytest.fixture
def applied(server: None, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the cluster was given."""
    found: list[dict[str, Any]] = []

    def kubectl(*arguments: str, check: bool = True, stdin: str | None = None) -> str:
        found.extend([json.loads(stdin)] if stdin else [])
        return ""

    monkeypatch.setattr(database, "kubectl", kubectl)
    return found


def given(applied: list[dict[str, Any]], namespace: str) -> str:
    """The address that a stage's pods have from its Secret."""
    database.give(namespace)
    secret = applied[-1]
    assert (secret["kind"], secret["metadata"]) == ("Secret", {"name": database.SECRET, "namespace": namespace})
    url: str = secret["stringData"]["url"]
    return url


def written(url: str) -> None:
    async def write() -> None:
        store = Store.at(url)
        await store.migrate()
        row = dict.fromkeys(("user_hash", "version", "revision", "arm", "variant", "trace_id", "outcome"), "x")
        await store.add_queries([{**row, "query_id": "q", "seconds": 1.0}])
        await store.rate("q", "x", 5, None)
        await store.engine.dispose()

    asyncio.run(write())


def tried(url: str, statement: str = "SELECT 1") -> None:
    async def connect() -> None:
        connection = await asyncpg.connect(url, timeout=5)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(connect())


def test_a_gateway_keeps_its_rows_where_the_secret_says(applied: list[dict[str, Any]]) -> None:
    url = given(applied, "stage-one")
    assert database.rows("stage-one", "SELECT * FROM feedback") == []  # no tables yet

    written(url)

    (row,) = database.rows("stage-one", "SELECT query_id, rating FROM feedback")
    assert row == {"query_id": "q", "rating": 5}


def test_without_its_password_nobody_comes_in(applied: list[dict[str, Any]]) -> None:
    url = given(applied, "stage-two")
    password = url.split(":")[2].partition("@")[0]

    with pytest.raises(asyncpg.InvalidPasswordError):
        tried(url.replace(password, "guessed"))
    tried(url)


def test_a_stage_does_not_read_anothers_rows(applied: list[dict[str, Any]]) -> None:
    first, second = given(applied, "stage-three"), given(applied, "stage-four")
    written(first)

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        tried(second.removesuffix("stage-four") + "stage-three", "SELECT * FROM feedback")


def test_a_stage_that_is_set_up_anew_has_an_empty_database(applied: list[dict[str, Any]]) -> None:
    written(given(applied, "again"))
    given(applied, "again")

    assert database.rows("again", "SELECT * FROM feedback") == []


def test_a_statement_that_fails_says_why(server: None) -> None:
    with pytest.raises(NotReady, match="does not exist"):
        database.psql("SELECT * FROM nothing")


def test_without_debians_package_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(database, "SERVERS", tmp_path)

    with pytest.raises(Refused, match="run lab/install lab"):
        database.binary("postgres")
