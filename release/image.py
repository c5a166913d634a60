"""`sluice image`: build a version's images, push them, and name them by digest from then on."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from perf import hardware
from release import checkout, outputs
from release.errors import Refused

if TYPE_CHECKING:
    from release.build import Image, Order, Say

VERSION = re.compile(r"v\d+\.\d+\.\d+([-.][0-9A-Za-z.-]+)?")


class Target(StrEnum):
    gateway = "gateway"
    engine = "engine"
    all = "all"


def orders(one: "Order", target: Target) -> Iterator["Order"]:
    """The gateway before the engine: a classic builder makes the upper stages first anyway."""
    for name in ("gateway", "engine"):
        if target in (Target.all, name):
            yield replace(one, target=name)


app = typer.Typer(add_completion=False, help="Build, push and name by digest the images of one version.")


@app.callback(invoke_without_command=True)
def image(
    registry: Annotated[str, typer.Option(help="where to push, like ghcr.io/me/sluice")],
    version: Annotated[str, typer.Option(help="like v1.2.0: a label, and the tag if no --tag is given")],
    target: Annotated[Target, typer.Option()] = Target.all,
    root: Annotated[Path, typer.Option("--context", help="the checkout to build")] = Path(),
    commit: Annotated[str, typer.Option(help="default: what is checked out there")] = "",
    tag: Annotated[list[str] | None, typer.Option(help="instead of the version; can be repeated")] = None,
    python_base: Annotated[str, typer.Option(help="default: the Dockerfile's PYTHON_BASE")] = "",
    engine_base: Annotated[str, typer.Option(help="default: the Dockerfile's ENGINE_BASE, a GPU image")] = "",
    site_ca: Annotated[
        Path | None, typer.Option(envvar="SSL_CERT_FILE", help="CA bundle for downloads in the build")
    ] = None,
    measured: Annotated[
        bool, typer.Option("--measured-here", help="refuse an engine that could not be load-tested on this machine")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one line of JSON per image")] = False,
) -> None:
    """Build, push and print `repository@sha256:…`; exit 5 when no daemon answers, 9 when a build or push fails."""
    from release.build import Order, connect, make  # docker's client, which no other command needs
    from release.cli import told

    with told(as_json):
        if not VERSION.fullmatch(version):
            raise Refused(f"{version}: a version is like v1.2.0")
        bases = {name: base for name, base in (("PYTHON_BASE", python_base), ("ENGINE_BASE", engine_base)) if base}
        ca = site_ca if site_ca and site_ca.is_file() else None
        one = Order("", registry, version, commit or checkout.commit(root), root, bases, ca, tuple(tag or ()))
        if measured:
            runs_here(one)
        client = connect()
        for order in orders(one, target):
            with progress(as_json) as say:
                done = make(client, order, say)
            outputs.tell(**{order.target: done.reference})
            typer.echo(json.dumps(asdict(done)) if as_json else line(done))


def runs_here(order: "Order") -> None:
    """Raises Refused where the Dockerfile's own engine wants a GPU and there is none: before an hour is spent on it."""
    from release.build import base_of

    base = base_of(replace(order, target="engine"))
    if "ENGINE_BASE" not in order.bases and "cpu" not in base.lower() and hardware.hardware() == hardware.CPU:
        raise Refused(f"{base}, the Dockerfile's engine, needs a GPU, and this machine has none: {hardware.WAYS}")


def line(done: "Image") -> str:
    return (
        f"{done.reference}  (+{done.added_mb} MB, {done.size_mb} MB in all, "
        f"built in {done.build_seconds} s, pushed in {done.push_seconds} s)"
    )


class progress:  # noqa: N801 - reads as a verb where it is used
    """One line that changes on a terminal, plain lines in a log, nothing on standard output."""

    def __init__(self, as_json: bool) -> None:
        self.console = Console(stderr=True, highlight=False, emoji=False)
        self.status = self.console.status("") if self.console.is_terminal and not as_json else None

    def __enter__(self) -> "Say":
        if self.status:
            self.status.start()
        return self.say

    def say(self, text: str) -> None:
        if self.status:
            self.status.update(text)
        else:
            self.console.print(text, markup=False, soft_wrap=True)

    def __exit__(self, *_: object) -> None:
        if self.status:
            self.status.stop()
