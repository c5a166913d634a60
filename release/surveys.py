"""The commands that read what users said: `sluice feedback export` and `sluice ab report`."""

import asyncio
import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from release.errors import ReleaseError

Database = Annotated[str, typer.Option(envvar="SLUICE_DATABASE_URL", help="sqlite:///FILE or postgresql://…")]
said = typer.Typer(no_args_is_help=True, help="What users said of the answers.")
compare = typer.Typer(no_args_is_help=True, help="Variants side by side.")


class Use(StrEnum):
    SCORING = "scoring"
    TUNING = "tuning"


@said.callback()
@compare.callback()
def group() -> None:
    """Keeps the command's name even while there is one command."""


@said.command()
def export(
    database: Database,
    to: Annotated[Path | None, typer.Option(help="default: the screen")] = None,
    use: Annotated[Use, typer.Option("--for", help="tuning: only answers whose text was kept")] = Use.SCORING,
    least: Annotated[int, typer.Option(help="leave lower ratings out")] = -1,
) -> None:
    """Write each rating, with the version and variant that it is about, as JSON Lines; or examples to train on."""
    from release import feedback

    rows = [row for row in read(database, "rated") if int(str(row["rating"])) >= least]
    text = "".join(line + "\n" for line in feedback.lines(feedback.examples(rows) if use is Use.TUNING else rows))
    if to is None:
        typer.echo(text, nl=False)
    else:
        to.write_text(text)


@compare.command()
def report(database: Database, as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Compare variants: n, share that ended well, rating, TTFT, length, quality checks, each with an interval."""
    from release import ab

    queries, rated = read(database, "queries"), read(database, "rated")
    if ab.mixed(rated):
        typer.echo("sluice: some ratings are thumbs and others stars: their mean says nothing, agree on one", err=True)
    rows = ab.compared(queries, rated)
    typer.echo("\n".join(json.dumps(one) for one in rows) if as_json else "\n".join(ab.table(rows)))


def read(database: str, what: str) -> list[dict[str, object]]:
    from release import feedback  # not before it is asked for: an ORM's import is most of a rollback's second

    try:
        return asyncio.run(feedback.read(database, what))
    except ReleaseError as error:
        typer.echo(f"sluice: {error}", err=True)
        raise typer.Exit(error.code) from None
