"""The commands of the way from commit to production; each can be run again and then goes on where it stopped."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import httpx2
import typer

from release import audit, environment, forge, inquiry, outputs, registry, signature, summary, version
from release import promote as promotion
from release import record as records
from release import rollback as rollbacks
from release import verdict as verdicts
from release.access import open_way
from release.audit import Entry
from release.cli import Chart, Gates, IfNamed, Json, Name, Namespace, passed_over, target, told
from release.errors import Refused
from release.history import History
from release.lock import held, latest
from release.write import Written

if TYPE_CHECKING:
    from release.deploy import Deploy

app = typer.Typer()

Root = Annotated[Path, typer.Option("--repository", help="the clone to work in")]
Where = Annotated[str, typer.Argument(metavar="ENV", help="environments/<name>")]
Image = Annotated[str, typer.Option(help="repository@sha256:…")]


def told_where(written: Written, otherwise: str) -> None:
    typer.echo(written.link or written.commit[:12] if written.changed else otherwise)
    if written.note:
        typer.echo(written.note, err=True)


@app.command(name="version")
def version_(
    commit: Annotated[str, typer.Argument(help="a commit of the released branch")] = "HEAD",
    tag: Annotated[bool, typer.Option("--tag", help="make and push the annotated tag")] = False,
    title: Annotated[str, typer.Option(envvar="PULL_TITLE", help="of a pull request: must be a message too")] = "",
    as_json: Json = False,
    root: Root = Path(),
) -> None:
    """Print the commit's version; with --tag give it one, by its conventional commits."""
    with told(as_json):
        history = History(root)
        found = version.tagged(history, commit) if tag else version.following(history, commit)
        if title:  # a squash merge makes it the commit's subject
            version.conventional(title, "the pull request's title")
        if tag and found.own:  # also when the tag is there: whoever made it may have been stopped right after
            if (there := forge.connect()) is not None:
                there.publish(found.name, found.changelog)
            outputs.tell(version=found.name, own=True, unreleased=not audit.recorded(history, found.name))
        typer.echo(json.dumps(asdict(found)) if as_json else found.name or "no version yet")


@app.command()
def changelog(root: Root = Path()) -> None:
    """Print what each version brought, newest first, as the annotated tags keep it."""
    with told():
        history = History(root)
        for name in version.tags(history, "--merged", "HEAD"):
            typer.echo(f"{name}\n{version.text_of(history, name)}\n")


@app.command()
def record(
    env: Where,
    name: Annotated[str, typer.Option("--version", help="like v1.2.0")],
    gateway: Image,
    engine: Image,
    gates: Gates = environment.ROOT / "rollouts" / "gates.yaml",
    root: Root = Path(),
) -> None:
    """Write a release of this commit (model, adapters, prompts, flags, gates, baseline) into an environment."""
    with told():
        history = History(root)
        content = records.content(root, env, name, {"gateway": gateway, "engine": engine}, gates)
        written = records.record(history, forge.connect(), env, content)
        told_where(written, f"{env} has {name} already, or a later commit's version")


@app.command()
def sign(
    name: Annotated[str, typer.Option("--version", help="the tag that each image gets once it is signed")],
    images: Annotated[list[str], typer.Argument(metavar="IMAGE…", help="repository@sha256:…")],
    key: Annotated[
        str, typer.Option(envvar="SLUICE_SIGNING_KEY", help="a key file; default: the workflow's identity")
    ] = "",
    root: Root = Path(),
) -> None:
    """Sign images by digest, attach SBOM and provenance, and only then give them the version as a tag."""
    with told():
        commit, parts = History(root).sha("HEAD"), signature.materials(root)
        with httpx2.Client(timeout=60, follow_redirects=True) as client:
            for image in images:
                signature.sign(image, key)
                signature.attest(image, "cyclonedx", parts, key)
                signature.attest(image, "slsaprovenance1", signature.provenance(commit), key)
                registry.tag(image, name, client)
                typer.echo(f"{image} signed, and tagged {name}")


@app.command()
def promote(source: Where, to: Where, root: Root = Path()) -> None:
    """Open a pull request that copies release.yaml from where it was promoted to the next environment."""
    with told():
        written = promotion.promote(History(root), forge.connect(), source, to)
        told_where(written, f"{to} has the release of {source} already")


@app.command()
def verdict(
    env: Where,
    release: Annotated[str, typer.Argument(help="its version, like v1.2.0")],
    outcome: Annotated[str, typer.Argument(metavar="promoted|aborted")],
    reason: Annotated[str, typer.Option(help="what the gate said")] = "",
    link: Annotated[str, typer.Option(help="the report's address; default: the workflow run's page")] = "",
    part: Annotated[str, typer.Option(help="engine or gateway: whose Rollout tells it")] = "engine",
    root: Root = Path(),
) -> None:
    """Keep a verdict; after an abort take the release back in git, so that it says what the cluster runs."""
    with told():
        if outcome not in verdicts.MARKS:
            raise Refused(f"{outcome}: a verdict is promoted or aborted")
        folder = root / "environments" / env
        if outcome == "promoted" and (why := inquiry.withheld(folder, part, release)):
            typer.echo(f"{release}: {why}; nothing to keep")
            return
        entry = Entry(env, release, "verdict", verdict=outcome, reason=reason, link=link or outputs.page())
        evidence = summary.reported(entry, partial(inquiry.evidence, folder))
        written = verdicts.settle(History(root), forge.connect(), entry, evidence)
        if written is not None:
            told_where(written, "git was right already")
        elif outcome == "aborted":
            typer.echo(f"git stays as it is: it names another version, or {verdicts.NOTHING}")


@app.command()
def rollback(
    release: Annotated[str, typer.Argument(help="a version like v1.2.0, or a tag like deploy/prod/v1.2.0")],
    env: Annotated[str, typer.Option(help="environments/<name>")] = "prod",
    why: Annotated[str, typer.Option(help="kept in git and in the audit log")] = "asked for by hand",
    namespace: Namespace = "",
    name: Name = "llm",
    gates: Gates = environment.ROOT / "rollouts" / "gates.yaml",
    root: Root = Path(),
) -> None:
    """Take git and the cluster that it names back to a version; without steps if that was good here before."""
    with told():
        if "/" in release:
            env, release = rollbacks.named(release)
        history = History(root)
        today = hashlib.sha256(gates.read_bytes()).hexdigest()
        found = rollbacks.find(history, env, release, today)
        deploy = prepared(history, env, found, namespace, name, gates)
        namespace = deploy.cluster.namespace if deploy is not None else ""
        with ThreadPoolExecutor() as beside:  # who writes waits for the remote, and so does who asks for the lock
            written = beside.submit(rollbacks.rollback, history, env, found, why).result
            try:
                with held(deploy is not None, namespace, release, written):
                    typer.echo(rollbacks.told(written(), env, release))
                    if deploy is not None:
                        deploy.hand_over(replace=True)
            finally:
                rollbacks.logged(history, env, found, why, written)
        if deploy is not None:
            typer.echo(f"handed over {release}{' without steps: it was good here before' if found.before else ''}")


def prepared(
    history: History, env: str, found: rollbacks.Found, namespace: str, name: str, gates: Path
) -> "Deploy | None":
    """The deployment of what a rollback found, with every check made; None where no cluster is named."""
    from release.deploy import Deploy
    from release.helm import Helm

    folder = environment.folder_of(env)
    if not environment.named(folder):
        return None
    latest(folder, history)
    try:
        open_way(folder)
    except Refused as error:
        raise Refused(f"{error}; or push the tag deploy/{env}/{found.version}, and a workflow does it") from error
    cluster = target(str(folder), namespace, name, "").cluster
    wanted = environment.of(folder, found.text)
    helm = Helm(environment.ROOT / "charts" / "llm", name, cluster.namespace, hurried=found.before)
    deploy = Deploy(wanted, cluster, helm, gates, typer.echo, fast=found.before, alone=True)
    deploy.manifests()
    return deploy


@app.command(name="audit")
def audit_(
    env: Annotated[str, typer.Argument(metavar="[ENV]")] = "",
    release: Annotated[str, typer.Option("--version", help="only this one")] = "",
    what: Annotated[str, typer.Option(help="only this: verdict, rollback, approval, …, or promoted, aborted")] = "",
    who: Annotated[str, typer.Option(help="only what this person did")] = "",
    since: Annotated[str, typer.Option(help="only from this day on, like 2026-01-31")] = "",
    as_json: Json = False,
    root: Root = Path(),
) -> None:
    """Print who released what, when, on which evidence, with which verdict."""
    with told(as_json):
        for entry in audit.chosen(audit.read(History(root), env, release), what, who, since):
            typer.echo(json.dumps(asdict(entry), ensure_ascii=False) if as_json else audit.shown(entry))


@app.command()
def drift(
    env: Where,
    namespace: Namespace = "",
    name: Name = "llm",
    chart: Chart = environment.ROOT / "charts" / "llm",
    if_named: IfNamed = False,
) -> None:
    """Compare the cluster with git; exit 16, naming each changed field and a stopped release that git still names."""
    from release import drift as drifts
    from release.helm import Helm, run

    with told():
        folder = environment.folder_of(env)
        if if_named:
            if passed_over(folder, "compare"):
                return
            open_way(folder)
        wanted = environment.load(folder)
        cluster = target(env, namespace, name, "").cluster
        fast = {"rollouts": {"fast": drifts.went_fast(cluster.client, cluster.namespace, name)}}
        manifests = run(Helm(chart, name, cluster.namespace).rendered(wanted.values, wanted.document, fast))
        lines = drifts.drifted(manifests, drifts.live(cluster.client, manifests, cluster.namespace))
        stopped = drifts.stopped(cluster, wanted.release.version)
        for line in [*lines, *stopped]:
            typer.echo(line)
        command = f"sluice verdict {folder.name} {wanted.release.version} aborted"
        drifts.refuse(cluster.namespace, lines, stopped, command)
        typer.echo(f"{cluster.namespace} runs what git says")
