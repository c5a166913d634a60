"""`sluice quality`: ask an endpoint, judge its answers against the live release's, keep what went wrong as a case."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from quality import cases, record
from release.errors import Aborted, Refused, TimedOut
from rollouts import gates

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)

Set = Annotated[
    list[Path] | None,
    typer.Option("--set", help="golden set, file or folder; default: quality/golden; can be repeated"),
]
Json = Annotated[bool, typer.Option("--json", help="one line of JSON at the end")]
BASELINE = Path(__file__).parent / "baseline.jsonl"


@app.command()
def run(
    url: Annotated[str, typer.Option(help="an OpenAI-compatible endpoint, such as http://127.0.0.1:8000")],
    out: Annotated[Path, typer.Option(help="answers, one a line; a run that was cut off goes on here")],
    model: Annotated[str, typer.Option(help="the name to ask for")] = "sluice-tiny",
    sha256: Annotated[str, typer.Option(help="of the model's files, to be kept with the answers")] = "",
    golden: Set = None,
    at_once: Annotated[int, typer.Option(min=1, max=256)] = 8,
    seconds: Annotated[float, typer.Option(min=0.1, help="to wait for one answer")] = 60.0,
    key: Annotated[str, typer.Option(envvar="SLUICE_API_KEY", help="sent as a bearer token")] = "",
) -> None:
    """Ask every case at temperature 0; exit 22 when the endpoint does not answer, and what came is kept."""
    from quality import ask
    from release.cli import told

    with told():
        asked = cases.load(golden or [cases.FOLDER])
        endpoint = ask.Endpoint(url, model, sha256, key, at_once, seconds)
        found = asyncio.run(ask.collect(asked, endpoint, out, lambda line: typer.echo(line, err=True)))
        typer.echo(f"{out}: {len(found.answers)} answers")


@app.command()
def gate(
    candidate: Annotated[Path, typer.Option(help="answers of the release that is to go out")],
    baseline: Annotated[Path, typer.Option(help="answers of the release that is live")] = BASELINE,
    golden: Set = None,
    thresholds: Annotated[Path, typer.Option("--gates")] = gates.PATH,
    page: Annotated[Path, typer.Option(help="folder for report.json and index.html")] = Path("build/quality"),
    as_json: Json = False,
) -> None:
    """Decide: exit 0 no worse than the margin, 3 worse, 4 not enough evidence."""
    from quality import judge, report
    from release import checkout
    from release.cli import told

    with told(as_json):
        began = checkout.origin()
        asked = cases.load(golden or [cases.FOLDER])
        new, old = record.load(candidate), record.load(baseline)
        record.matched(new, asked, candidate, "candidate")
        record.matched(old, asked, baseline, "baseline")
        try:
            quality = gates.load(thresholds).quality
        except gates.GatesError as error:
            raise Refused(str(error)) from None
        found = judge.judge(asked, new, old, quality)
        report.write(began, [report.Trial("this change", "pass", found, new)], asked, old, page)
        row = report.row(report.Trial("this change", "pass", found, new))
        typer.echo(json.dumps(row, ensure_ascii=False) if as_json else f"{found.verdict}: {found.reason}")
        if found.verdict == "fail":
            raise Aborted(f"quality gate: {found.reason}; {page / 'index.html'} shows the worst answers")
        if found.verdict == "unsure":
            raise TimedOut(f"quality gate: {found.reason}; add cases to the golden set")


@app.command("check")
def check_sets(golden: Set = None) -> None:
    """Refuse golden sets with broken lines, duplicates, or cases that stand in the training texts."""
    from model import world
    from release.cli import told

    with told():
        found = cases.load(golden or [cases.FOLDER])
        cases.refuse_leaks(found, [pair.question for pair in world.trained()])
        typer.echo(f"{len(found)} cases, set {cases.digest(found)[:12]}")


@app.command("add-regression")
def add_regression(
    question: Annotated[str, typer.Option(help="what the user asked")],
    answer: Annotated[str, typer.Option(help="what would have been right")],
    key: Annotated[list[str], typer.Option(help="a right answer holds it; can be repeated")],
    language: Annotated[str, typer.Option(help="en, zh or mixed")],
    name: Annotated[str, typer.Option("--id", help="default: made of the question")] = "",
    to: Annotated[Path, typer.Option(help="golden set that gets the line")] = cases.FOLDER / "regressions.jsonl",
) -> None:
    """Make a user's thumbs-down a case that every later release must answer; the set it joins must stay sound."""
    from quality import regression
    from release.cli import told

    with told():
        case = regression.made(question, answer, key, language, name)
        regression.added(case, to)
        typer.echo(f"{to}: {case.id}; ask the live release again, for its answers are the baseline")
