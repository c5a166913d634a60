"""`sluice model`: is this the model that the pin names, and fetch it."""

import os
from pathlib import Path
from typing import Annotated

import typer

from model import fetch, pin, serve
from quality.errors import NoDownload, WrongModel

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
Pin = Annotated[Path, typer.Argument(help="the pin; default: model/model.yaml")]


@app.command()
def verify(file: Pin = pin.DEFAULT) -> None:
    """Check every file of the pinned model; exit 25 and the file's name when one differs."""
    from release.cli import told

    with told():
        try:
            found, folder = serve.verified(file, os.environ)
        except pin.PinError as error:
            raise WrongModel(str(error)) from None
        except fetch.FetchError as error:
            raise NoDownload(str(error)) from None
        typer.echo(f"{folder}: {len(found.files)} files are those of {found.id} {found.revision}, {found.sha256[:12]}")


@app.command("fetch")
def fetch_model(
    file: Pin = pin.DEFAULT,
    cache: Annotated[Path, typer.Option(envvar="SLUICE_MODEL_CACHE", help="shared by all")] = Path(fetch.CACHE),
) -> None:
    """Download the pinned model into the cache, or go on where it was cut; exit 26 when it is not whole."""
    from release.cli import told

    with told():
        try:
            found = pin.load(file)
            place = fetch.fetched(found, cache, os.environ, typer.echo) if found.source else file.parent / found.path
            pin.verify(found, place)
        except pin.PinError as error:
            raise WrongModel(str(error)) from None
        except fetch.FetchError as error:
            raise NoDownload(str(error)) from None
        typer.echo(str(place))
