"""The program `sluice`. Exit codes stand in release/errors.py."""

import importlib
import importlib.util
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import httpx2
import typer
from rich.console import Console

from release import environment
from release.access import open_way
from release.cluster import Cluster, connect
from release.errors import ReleaseError
from release.prometheus import Prometheus
from release.screen import screen
from release.watch import Event, Watch

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Ship a release of an LLM, watch it, stop it, and say why it ended as it did. "
    "Exit codes: 0 promoted or done, 1 unexpected, 2 wrong option, 3 aborted, 4 timed out, "
    "5 refused before any change, 6 cluster unreachable, 7 not installed, 8 upgrade failed, 9 image not built, "
    "10 forge or git remote away, 11 locked, 12 unknown version, 13 not verified, 14 unsigned, "
    "15 unconventional commit, 16 drifted, 17 wrong hash.",
)

Env = Annotated[str, typer.Argument(metavar="DIR_OR_ENV", help="environments/<name>, or any folder of that kind")]
Namespace = Annotated[str, typer.Option(help="default: the folder's name")]
Name = Annotated[str, typer.Option(help="Helm's name of the release")]
Url = Annotated[str, typer.Option(envvar="SLUICE_PROMETHEUS", help="default: rollouts.prometheus of values.yaml")]
Json = Annotated[bool, typer.Option("--json", help="one line of JSON per event")]
Gates = Annotated[Path, typer.Option(help="the thresholds that releases are judged by")]
Chart = Annotated[Path, typer.Option(help="the workload's chart")]
IfNamed = Annotated[bool, typer.Option("--if-named", help="do nothing where delivery.cluster is empty")]
Timeout = Annotated[float | None, typer.Option(help="seconds until giving up watching; the release goes on")]


@dataclass
class Target:
    """One release in one cluster, as the command line names it; never needs release.yaml to be right."""

    cluster: Cluster
    prometheus: Prometheus | None


def target(env: str, namespace: str, name: str, prometheus: str) -> Target:
    folder = environment.folder_of(env)
    values = folder / "values.yaml"
    url = prometheus or (environment.prometheus_of(environment.mapping(values)) if values.is_file() else "")
    cluster = connect(namespace or environment.namespace_of(folder), name)
    return Target(cluster, Prometheus(url, httpx2.Client(timeout=5)) if url else None)


def passed_over(folder: Path, purpose: str) -> bool:
    """Say so, and return True, where an environment names no cluster: a fresh fork's workflows are green there."""
    if environment.named(folder):
        return False
    typer.echo(f"{folder.name}: names no cluster or no release yet; nothing to {purpose}")
    return True


@contextmanager
def told(as_json: bool = False) -> Iterator[None]:
    """End a command with one line and the right exit code instead of a traceback."""
    try:
        yield
    except ReleaseError as error:
        fail(str(error), error.code, as_json)
    except (typer.Exit, typer.Abort, SystemExit):
        raise
    except KeyboardInterrupt:
        fail("stopped watching; the release goes on, `sluice watch` picks it up again", 130, as_json)
    except Exception as error:
        if os.environ.get("SLUICE_DEBUG"):
            raise
        fail(
            f"unexpected {type(error).__name__}: {' '.join(str(error).split())}; SLUICE_DEBUG=1 shows where", 1, as_json
        )


def tell(event: Event, as_json: bool) -> None:
    line = {"event": event.kind, "text": event.text} | event.figures
    typer.echo(json.dumps(line, ensure_ascii=False) if as_json else event.text)


def fail(text: str, code: int, as_json: bool) -> None:
    if as_json:
        tell(Event("error", text, {"code": code}), as_json)
    typer.echo(f"sluice: {text}", err=True)
    raise typer.Exit(code)


@app.command()
def deploy(
    env: Env,
    supersede: Annotated[bool, typer.Option("--supersede", help="abort the release in progress first")] = False,
    timeout: Timeout = None,
    no_watch: Annotated[bool, typer.Option("--no-watch", help="hand over and leave; the cluster decides")] = False,
    locked: Annotated[bool, typer.Option("--locked", help="one at a time, by a lock in the git remote")] = False,
    if_named: IfNamed = False,
    as_json: Json = False,
    namespace: Namespace = "",
    name: Name = "llm",
    prometheus: Url = "",
    chart: Chart = environment.ROOT / "charts" / "llm",
    gates: Gates = environment.ROOT / "rollouts" / "gates.yaml",
) -> None:
    """Check a release, show what it changes, hand it to the cluster and watch it to its verdict."""
    from release.deploy import Deploy
    from release.helm import Helm
    from release.lock import held, latest

    with told(as_json):
        folder = environment.folder_of(env)
        if locked:
            latest(folder)  # first: another job may just have written the first release.yaml
        if if_named and passed_over(folder, "deploy"):
            return
        if locked:
            open_way(folder)
        wanted = environment.load(folder)
        at = target(env, namespace, name, prometheus)
        say = (lambda line: typer.echo(line, err=True)) if as_json else typer.echo
        helm = Helm(chart, name, at.cluster.namespace)
        with held(locked, at.cluster.namespace, wanted.release.version):
            begun = Deploy(wanted, at.cluster, helm, gates, say, alone=locked).hand_over(supersede)
        if not begun:
            text = f"{wanted.release.version} already runs in {at.cluster.namespace}; nothing to do"
            tell(Event("verdict", text, {"verdict": "promoted", "unchanged": True}), as_json)
            return
        tell(Event("handed-over", f"handed over {wanted.release.version}"), as_json)
        if not no_watch:
            follow(at, timeout, as_json, wanted.release.images.engine)


@app.command()
def watch(
    env: Env,
    timeout: Timeout = None,
    as_json: Json = False,
    namespace: Namespace = "",
    name: Name = "llm",
    prometheus: Url = "",
) -> None:
    """Follow the release in progress to its verdict; can be left and picked up again at any time."""
    with told(as_json):
        at = target(env, namespace, name, prometheus)
        at.cluster.state()
        follow(at, timeout, as_json)


def follow(at: Target, timeout: float | None, as_json: bool, image: str | None = None) -> None:
    with screen(Console(highlight=False), as_json) as shown:
        Watch(at.cluster, at.prometheus, shown, image, timeout).verdict()


@app.command()
def abort(
    env: Env,
    reason: Annotated[str, typer.Option(help="why; kept on the Rollout")],
    namespace: Namespace = "",
    name: Name = "llm",
) -> None:
    """Stop the release in progress: all traffic goes back to stable at once."""
    from release.abort import abort as stop

    with told():
        state = stop(target(env, namespace, name, "").cluster, reason)
        typer.echo(f"{state.version} aborted at {state.weight} %; all traffic goes back to stable")


@app.command()
def status(
    env: Env, as_json: Json = False, namespace: Namespace = "", name: Name = "llm", prometheus: Url = ""
) -> None:
    """Say once where the release stands."""
    from release import status as now

    with told(as_json):
        at = target(env, namespace, name, prometheus)
        if as_json:
            typer.echo(json.dumps(now.status(at.cluster, at.prometheus), ensure_ascii=False))
        else:
            now.shown(at.cluster, at.prometheus, Console(highlight=False))


@app.command()
def explain(
    env: Env,
    as_json: Json = False,
    namespace: Namespace = "",
    name: Name = "llm",
    prometheus: Url = "",
    gates: Gates = environment.ROOT / "rollouts" / "gates.yaml",
) -> None:
    """Say in sentences why the release was promoted or stopped."""
    from release.deploy import gates_at
    from release.explain import explain as sentences
    from release.explain import gathered

    with told(as_json):
        at = target(env, namespace, name, prometheus)
        case = gathered(at.cluster, at.prometheus, gates_at(gates))
        if as_json:
            found = {"release": case.state.release, "verdict": case.state.verdict(), "sentences": sentences(case)}
            typer.echo(json.dumps(found, ensure_ascii=False))
        else:
            typer.echo("\n".join(sentences(case)))


@app.command()
def report(
    source: Annotated[Path, typer.Argument(help="report.json of a run")],
    to: Annotated[Path | None, typer.Option(help="default: report.html beside it")] = None,
) -> None:
    """Make one HTML page, without anything from outside, of a run's report.json."""
    from release.report import load, page

    with told():
        target_page = to or source.with_suffix(".html")
        target_page.write_text(page(load(source)))
        typer.echo(f"{target_page}")


def main() -> None:
    """Add the commands of the parts that are installed, then run."""
    for name, module in (("image", "release.image"), ("quality", "quality.cli"), ("model", "model.cli")):
        if importlib.util.find_spec(module) is not None:
            app.add_typer(importlib.import_module(module).app, name=name)
    for module in ("release.flow", "release.trigger", "release.approval", "release.summary"):
        app.add_typer(importlib.import_module(module).app)
    if importlib.util.find_spec("sqlalchemy") is not None:
        surveys = importlib.import_module("release.surveys")
        app.add_typer(surveys.said, name="feedback")
        app.add_typer(surveys.compare, name="ab")
    app()


if __name__ == "__main__":
    main()
