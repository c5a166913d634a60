"""A person's part: look at what both arms answer, and let the canary take all traffic."""

import json
from pathlib import Path
from typing import Annotated

import typer

from release import audit, environment
from release import report as reports
from release import samples as sampled
from release.audit import Entry
from release.cli import Env, Json, Name, Namespace, target, told
from release.cluster import Cluster, State
from release.errors import Refused
from release.history import History
from release.report import Sample

app = typer.Typer()

Gateway = Annotated[str, typer.Option(help="its address; default: through the API server")]
Root = Annotated[Path, typer.Option("--repository", help="the clone to work in")]


@app.command()
def samples(
    env: Env,
    as_json: Json = False,
    report: Annotated[Path | None, typer.Option(help="a run's report.json, whose page shows them from now on")] = None,
    namespace: Namespace = "",
    name: Name = "llm",
    gateway: Gateway = "",
) -> None:
    """Print twenty golden prompts' answers of both arms side by side, as a Markdown table."""
    with told(as_json):
        document = reports.load(report) if report else None  # first: a wrong path shall cost nobody forty answers
        found = asked(env, target(env, namespace, name, "").cluster, gateway)
        if report and document:
            reports.save(document.model_copy(update={"samples": found}), report)
        shown = json.dumps([one.model_dump() for one in found], ensure_ascii=False)
        typer.echo(shown if as_json else sampled.table(found))


@app.command()
def approve(
    env: Env,
    version: Annotated[str, typer.Argument(help="the release that waits, like v1.2.0")],
    yes: Annotated[bool, typer.Option("--yes", help="the answers were looked at already")] = False,
    namespace: Namespace = "",
    name: Name = "llm",
    gateway: Gateway = "",
    root: Root = Path(),
) -> None:
    """Let a release go on that waits for a person; who did it and both arms' answers go into the audit log."""
    with told():
        cluster = target(env, namespace, name, "").cluster
        state = waiting(cluster.state(), version)
        found = sampled.table(asked(env, cluster, gateway))
        typer.echo(found)
        if not yes:
            typer.confirm(f"{version} has {state.weight} % and its gates' pass; let it go on?", abort=True)
        waiting(cluster.state(), version)  # a gate may have stopped it while somebody was reading
        place = environment.folder_of(env).name
        audit.write(History(root), Entry(place, version, "approval", evidence=found.splitlines()))
        cluster.go_on()
        typer.echo(f"{version} goes on; the fail-only gates still watch it")


def waiting(state: State, version: str) -> State:
    """Raises Refused unless this very version waits for a person."""
    if state.version != version:
        raise Refused(f"{state.rollout}: {state.version} is what is there, not {version}; look at that one first")
    if not state.waits:
        raise Refused(f"{state.rollout}: {version} waits for nobody ({state.verdict()}); nothing to approve")
    return state


def asked(env: str, cluster: Cluster, gateway: str) -> list[Sample]:
    values = environment.mapping(environment.folder_of(env) / "values.yaml")
    return sampled.taken(sampled.through(cluster, gateway, str(values.get("modelName") or "llm")))
