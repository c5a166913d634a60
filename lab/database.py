"""The lab's PostgreSQL: Debian's server, with a database, a role and a password of its own for every stage."""

import json
import secrets
import shutil
from pathlib import Path
from typing import Any

from lab import paths, process
from lab.errors import NotReady, Refused
from lab.process import Program
from lab.programs import kubectl

ACCOUNT = "postgres"  # Debian's own: the server refuses to run as root
AS_ACCOUNT = ("setpriv", f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--init-groups")  # becomes the program: one id
SECRET = "llm-database"  # noqa: S105 - the Secret's name
SERVERS = Path("/usr/lib/postgresql")  # Debian keeps the server's programs off the path
ACCESS = f"local all {ACCOUNT} peer\nhost all all {paths.POD_CIDR} scram-sha-256\n"


def folder() -> Path:
    return paths.STATE / "postgres"


def binary(name: str) -> str:
    """The newest server's program of that name.

    Raises:
        Refused: there is none.
    """
    found = sorted(SERVERS.glob(f"*/bin/{name}"), key=lambda one: float(one.parts[-3]))
    if not found:
        raise Refused(f"{name} is missing: run lab/install lab")
    return str(found[-1])


def create() -> None:
    """An empty server, into which only pods with a password come, and its own account from this machine."""
    folder().mkdir(parents=True, exist_ok=True)
    shutil.chown(folder(), ACCOUNT, ACCOUNT)
    options = (f"--username={ACCOUNT}", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
    process.run(*AS_ACCOUNT, binary("initdb"), "-D", folder() / "data", *options)
    (folder() / "data/pg_hba.conf").write_text(ACCESS)


def server() -> Program:
    settings = {
        "listen_addresses": paths.NODE_IP,
        "port": paths.POSTGRES_PORT,
        "unix_socket_directories": folder(),
        "dynamic_shared_memory_type": "mmap",  # in the folder, which goes with the lab
        "fsync": "off",
    }
    told = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return Program("postgres", [*AS_ACCOUNT, binary("postgres"), "-D", str(folder() / "data"), *told], ready)


def ready() -> bool:
    line = (binary("pg_isready"), "-h", folder(), "-p", str(paths.POSTGRES_PORT))
    return "accepting" in process.run(*line, check=False)


def psql(statements: str, database: str = ACCOUNT) -> str:
    """What they answer; they go in by stdin, for others see a command line and passwords are among them.

    Raises:
        NotReady: the server is away, or refuses one of them.
    """
    way = ("-h", folder(), "-p", str(paths.POSTGRES_PORT), "-U", ACCOUNT, "-d", database)
    line = (binary("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=terse", *way)
    return process.run(*AS_ACCOUNT, *line, stdin=statements).strip()


def give(namespace: str) -> None:
    """A new database for a stage, and the Secret in its namespace from which the gateway has the address."""
    password = secrets.token_hex(16)
    take(namespace)
    psql(
        f'CREATE ROLE "{namespace}" LOGIN PASSWORD \'{password}\';\nCREATE DATABASE "{namespace}" OWNER "{namespace}";'
    )
    kubectl("create", "namespace", namespace, check=False)
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET, "namespace": namespace},
        "stringData": {"url": url(namespace, password)},
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(secret))


def url(namespace: str, password: str) -> str:
    return f"postgresql://{namespace}:{password}@{paths.NODE_IP}:{paths.POSTGRES_PORT}/{namespace}"


def take(namespace: str) -> None:
    """Delete a stage's database and role, where there are such."""
    psql(f'DROP DATABASE IF EXISTS "{namespace}" WITH (FORCE);\nDROP ROLE IF EXISTS "{namespace}";')


def rows(namespace: str, select: str) -> list[dict[str, Any]]:
    """What a query of a stage's database gives; nothing while its tables are not there yet."""
    try:
        found = psql(f"SELECT coalesce(json_agg(one), '[]') FROM ({select}) AS one;", namespace)  # noqa: S608 - the lab's own
    except NotReady:
        return []
    answer: list[dict[str, Any]] = json.loads(found)
    return answer
