"""build/quality: report.json for machines and index.html for people."""

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from quality import text
from quality.cases import Case
from quality.judge import Group, Judgement, Verdict
from quality.record import Record
from release.page import rendered

WORST = 8  # cases that are shown side by side
SHOWN = ("bleu", "rouge1", "rouge2", "rougeL", "chrf", "exact_match", "accuracy")


@dataclass(frozen=True)
class Trial:
    """One model against the baseline."""

    name: str
    expected: Verdict
    judgement: Judgement
    record: Record


def row(trial: Trial) -> dict[str, Any]:
    """`ci` is the interval of candidate − baseline by metric."""
    found = trial.judgement
    parts = {name: group for name in ("zh", "en", "all") if (group := found.group(name))}
    return {
        "name": trial.name,
        "expected": trial.expected,
        "verdict": found.verdict,
        "reason": found.reason,
    } | {name: figures(group) for name, group in parts.items()}


def figures(group: Group) -> dict[str, Any]:
    scores = {name: round(figure.candidate, 2) for name, figure in group.figures.items()}
    interval = {name: [round(figure.low, 2), round(figure.high, 2)] for name, figure in group.figures.items()}
    return scores | {"cases": group.cases, "ci": interval}


def write(
    origin: dict[str, str],
    trials: Sequence[Trial],
    cases: list[Case],
    baseline: Record,
    folder: Path,
    extra: dict[str, Any] | None = None,
) -> None:
    """Both files, from what the run began with; the page shows each trial's worst answers beside the baseline's."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = {**origin, "cases": [row(trial) for trial in trials], **(extra or {})}
    whole["answers"] = {"baseline": said(baseline)} | {trial.name: said(trial.record) for trial in trials}
    (folder / "report.json").write_text(json.dumps(whole, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    made = rendered(
        Path(__file__).parent / "report.html.j2",
        commit=whole["commit"],
        started=whole["started"],
        trials=[(trial, worst(trial, cases, baseline)) for trial in trials],
        shown=SHOWN,
        extra=extra or {},
        asked=len(cases),
    )
    (folder / "index.html").write_text(made, encoding="utf-8")


def said(record: Record) -> dict[str, str]:
    """The raw answers by case, of which every figure can be computed again."""
    return {answer.id: answer.text for answer in record.answers.values()}


def worst(trial: Trial, cases: list[Case], baseline: Record) -> list[dict[str, Any]]:
    """The cases that lost most chrF against the baseline."""
    each = np.eye(len(cases))
    lost = trial.judgement.candidate.at(each)["chrf"] - trial.judgement.baseline.at(each)["chrf"]
    found = []
    for at in np.argsort(lost, kind="stable")[:WORST]:
        if lost[at] >= 0:
            break
        case = cases[int(at)]
        before, now = baseline.answers[case.id].text, trial.record.answers[case.id].text
        found.append({"case": case, "lost": -lost[at], "before": before, "pieces": difference(before, now)})
    return found


def difference(before: str, now: str) -> list[tuple[str, str]]:
    """Runs of `same`, `gone` and `new` words or characters, in reading order."""
    old, new = text.pieces(before), text.pieces(now)
    runs: list[tuple[str, str]] = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            runs.append(("same", spaced(old[a:b])))
            continue
        runs += [(name, spaced(part)) for name, part in (("gone", old[a:b]), ("new", new[c:d])) if part]
    return runs


def spaced(pieces: list[str]) -> str:
    """Blanks between words of alphabets, none around Chinese characters and before punctuation."""
    line = ""
    for piece in pieces:
        apart = line and line[-1].isascii() and piece[0].isascii() and piece[0].isalnum()
        line += f" {piece}" if apart else piece
    return line
