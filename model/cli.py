"""`sluice model`: pin a model, see whether this is the one that the pin names, and fetch it."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from model import fetch, pin, serve
from quality.errors import NoDownload, WrongModel
from release.errors import Refused

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
PARTS = ("components", "adapters")
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


@app.command("pin")
def write(
    folder: Annotated[Path, typer.Argument(help="with the model's files: weights, configuration, tokenizer")],
    name: Annotated[str, typer.Option("--id", help="default: as pinned, with another revision")] = "",
    revision: Annotated[str, typer.Option(help="like v1.2.0, or the commit of a hub's repository")] = "",
    served_name: Annotated[str, typer.Option(help="what clients write as `model`; default: as it is pinned")] = "",
    source: Annotated[str, typer.Option(help="where pods fetch it: hub:owner/name, s3://… or http(s)://…")] = "",
    arg: Annotated[list[str] | None, typer.Option(help="of the engine, like --max-model-len=8192; repeatable")] = None,
    file: Annotated[Path, typer.Option("--file", help="the pin to write")] = pin.DEFAULT,
) -> None:
    """Write the pin of a folder's files; another model begins without the old one's arguments, parts and adapters."""
    from release.cli import told

    with told():
        whole(folder)
        known = {"id": name, "revision": revision, "served_name": served_name, "source": source, "args": arg}
        try:
            made = following(folder, file, {key: value for key, value in known.items() if value})
            pin.belonging(made)
        except pin.PinError as error:
            raise WrongModel(str(error)) from None
        pin.save(made, file)
        typer.echo(f"{file}: {made.id} {made.revision}, {len(made.files)} files, sha256 {made.sha256}")


def whole(folder: Path) -> None:
    """Raises Refused: these files are no model, or not a model alone."""
    if not folder.is_dir() or not any(folder.iterdir()):
        raise Refused(f"{folder}: no model's files there; name the folder that holds them")
    if hidden := next((one for one in sorted(folder.rglob("*")) if one.name.startswith(".")), None):
        raise Refused(f"{hidden}: no part of a model; remove it, for a pod refuses files that differ from the pin")


def following(folder: Path, file: Path, known: dict[str, Any]) -> pin.Pin:
    """The pin of a folder; what is not known is as in the pin before, where that is of the same model."""
    before = pin.load(file) if file.is_file() else None
    if before and known.get("id", before.id) == before.id:
        kept = {key: getattr(before, key) for key in ("id", "revision", "served_name", "source", "args", *PARTS)}
    else:
        kept = {"served_name": before.served_name if before else ""}
    found = kept | known
    if missing := [f"--{key.replace('_', '-')}" for key in ("id", "revision", "served_name") if not found.get(key)]:
        raise Refused(f"{file}: another model: say its {' and '.join(missing)}")
    made = pin.of(folder, file, **found)
    if made.source:
        return replace(made, path=".")  # pods have them from there, wherever they lie on this machine
    if not folder.resolve().is_relative_to(file.resolve().parent):
        raise Refused(f"{folder}: the engine's image has {file.parent} alone; put the files there, or give --source")
    return made
