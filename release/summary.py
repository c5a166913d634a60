"""What a workflow's page shows: the gates' tables and which machine they ran on, or a verdict and why it is so."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from release.audit import Entry

QUALITY, PERF = Path("build/quality/report.json"), Path("build/perf/report.json")
HOSTED = "a hosted runner"
SCORES = ("bleu", "rougeL", "chrf", "exact_match", "accuracy")


app = typer.Typer()


@app.command()
def summary(
    runner: Annotated[str, typer.Option(envvar="GPU_RUNNER", help="the runner's name; empty: a hosted one")] = "",
    root: Annotated[Path, typer.Option(help="where build/ is")] = Path(),
) -> None:
    """Print the quality and throughput gates' tables, and put them on the workflow's page."""
    text = tables(root, runner)
    publish(text)
    typer.echo(text)


def tables(root: Path, runner: str) -> str:
    """Markdown; the gates that wrote no report are named, so that silence is never taken for a pass."""
    where = f"the runner `{runner}`" if runner else HOSTED
    parts = [f"Ran on {where}."]
    for title, path, made in (("Quality", QUALITY, quality), ("Throughput", PERF, throughput)):
        file = root / path
        body = list(made(json.loads(file.read_text()))) if file.is_file() else ["Did not run here."]
        parts += ["", f"### {title}", "", *body]
    return "\n".join(parts) + "\n"


def quality(report: dict[str, Any]) -> Iterator[str]:
    """One line per model and language: its scores, and the interval of BLEU against the baseline."""
    yield "Engine: vLLM for the CPU."  # quality starts no other
    yield ""
    yield row("model", "verdict", "expected", "language", "cases", *SCORES, "BLEU − baseline")
    yield row(*["---"] * (6 + len(SCORES)))
    for one in report["cases"]:
        for language in [name for name in ("zh", "en", "all") if name in one]:
            found = one[language]
            low, high = found.get("ci", {}).get("bleu", ("–", "–"))
            scores = [found.get(name, "–") for name in SCORES]
            head = [one["name"], one["verdict"], one["expected"], language]
            yield row(*head, found["cases"], *scores, f"[{low}, {high}]")


def named(engine: str) -> str:
    """An image or a revision as it was given; a folder is this checkout's `model/` with the machine's own vLLM."""
    return "this tree's" if Path(engine).is_absolute() else f"`{engine}`"


def throughput(report: dict[str, Any]) -> Iterator[str]:
    """One line per metric: candidate against the live release, so turned that below 1 is worse."""
    yield f"Engine: {named(report['candidate'])} on `{report['hardware']}`."
    yield ""
    yield f"**{report['verdict']}**" + ("" if report["valid"] else f", not valid: {'; '.join(report['doubts'])}")
    if report.get("first_release"):
        yield "No live release to compare with: floors only."
    for floor in report.get("floors") or []:
        yield f"- {floor['name']}: {floor['reached']:.4g} of {floor['needed']:.4g} needed, {floor['verdict']}"
    if not report["metrics"]:
        return
    yield from ["", row("metric", "candidate ÷ live", "interval", "verdict"), row(*["---"] * 4)]
    for name, one in report["metrics"].items():
        low, high = one["ci"]
        yield row(name, f"{one['ratio']:.3f}", f"[{low:.3f}, {high:.3f}]", one["verdict"])


def reported(entry: Entry, evidence: Callable[[], list[str]]) -> Callable[[], list[str]]:
    """The same evidence, which the page of the run then shows: it is the report that a verdict links."""

    def shown() -> list[str]:
        found = evidence()
        publish("\n".join(report(entry, found)) + "\n")
        return found

    return shown


def report(entry: Entry, sentences: list[str]) -> Iterator[str]:
    yield f"### {entry.version} {entry.verdict} in {entry.environment}"
    yield from ["", f"Reason: {entry.reason}"] if entry.reason else []
    yield from ["", *(f"- {one}" for one in sentences or ["No figures: no cluster was asked."])]


def row(*cells: object) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def publish(text: str) -> None:
    """Append to the page of the job that runs; elsewhere there is none."""
    if file := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(file).open("a", encoding="utf-8") as page:
            page.write(text)
