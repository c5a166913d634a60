"""`make quality`: the gate on this checkout's model; with --all also on models whose worth is known.

False alarms, power and the spread of seeds are counted on the recorded answers of real engines.
"""

import argparse
import concurrent.futures
import itertools
import json
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from model import make, running, world
from quality import cases, cli, judge, record, report, scores, versions
from quality.judge import Side
from release import checkout
from release.errors import ReleaseError
from rollouts import gates

OUT = Path("build/quality")
ALARMS, POWER = 200, 100
EXTRA = 5.0  # points of BLEU beyond the margin that must be caught
SEED = 11
TIMES = 3  # the spread of seeds that a margin must at least be, in every group that is judged
SPREAD = Path(__file__).parent / "spread.json"  # as it was last measured for the recipe of this checkout

AT_ONCE = 2
T = TypeVar("T")
Sample = tuple[list[cases.Case], dict[str, Side]]


def say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def trial(version: versions.Version, asked: list[cases.Case], baseline: record.Record, quality: gates.Quality) -> Any:
    folder = versions.made(version, OUT / "models", say)
    answers = versions.asked(version.name, folder, asked, OUT / "answers", say)
    found = report.Trial(version.name, version.expected, judge.judge(asked, answers, baseline, quality), answers)
    say(f"{version.name}: {found.judgement.verdict}, {found.judgement.reason}")
    return found


def all_of(known: Sequence[T], made: Callable[[T], Any]) -> list[Any]:
    """Two engines at a time: one starts while the other is asked. After an error no further one is started."""
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        futures = [pool.submit(made, one) for one in known]
        try:
            return [future.result() for future in futures]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def right(version: versions.Version, found: report.Trial) -> bool:
    return found.judgement.verdict == version.expected and version.sign in found.judgement.reason


def spread(asked: list[cases.Case], seeds: dict[str, Side], quality: gates.Quality) -> dict[str, Any]:
    """The standard deviation of each judged metric over trainings, overall and where it is largest; and its margin."""
    groups = [(name, at) for name, at, judged in judge.parts(asked) if judged]
    found: dict[str, Any] = {"seeds": len(seeds)}
    for name, margin in quality.margins.items():
        values = {group: [whole(side.scores.taken(at), name) for side in seeds.values()] for group, at in groups}
        deviations = {group: float(np.std(each, ddof=1)) for group, each in values.items()}
        most = max(deviations, key=lambda group: deviations[group])
        found[name] = {
            "scores": [round(value, 2) for value in values["all"]],
            "deviation": round(deviations["all"], 3),
            "largest_difference": round(max(values["all"]) - min(values["all"]), 2),
            "largest_deviation": round(deviations[most], 3),
            "in": most,
            "margin": margin,
            "enough": margin >= TIMES * deviations[most],
        }
    return found


def whole(part: scores.Scores, name: str) -> float:
    return float(part.at(np.ones((1, len(part.rows[name]))))[name][0])


def resampled(sides: dict[str, Side], asked: list[cases.Case], drawn: np.random.Generator) -> Sample:
    """As many cases, drawn with replacement within each language, and what is known of each model's answers to them."""
    places: list[int] = []
    for language in sorted({case.language for case in asked}):
        part = [at for at, case in enumerate(asked) if case.language == language]
        places += [part[at] for at in drawn.integers(0, len(part), len(part))]
    kept = {judge.REGRESSION}  # one that goes wrong again would be an alarm too; groups of tags are not judged
    bare = [asked[at].model_copy(update={"tags": tuple(kept & {*asked[at].tags})}) for at in places]
    return bare, {name: Side(side.scores.taken(places), side.signs) for name, side in sides.items()}


def alarms(asked: list[cases.Case], seeds: dict[str, Side], quality: gates.Quality) -> dict[str, Any]:
    """Different trainings of one recipe against each other, on resampled cases: a fail is a false alarm."""
    drawn = np.random.Generator(np.random.PCG64(SEED))
    pairs = list(itertools.permutations(seeds, 2))
    verdicts = []
    for turn in range(ALARMS):
        new, old = pairs[turn % len(pairs)]
        fresh, sides = resampled(seeds, asked, drawn)
        verdicts.append(judge.weighed(fresh, sides[new], sides[old], quality).verdict)
    return {"comparisons": ALARMS} | {name: verdicts.count(name) for name in ("pass", "fail", "unsure")}


def power(asked: list[cases.Case], good: Side, other: Side, bad: Side, quality: gates.Quality) -> dict[str, Any]:
    """Another seed's answers with a share of a damaged model's, so that BLEU drops by the margin and EXTRA points."""
    drawn = np.random.Generator(np.random.PCG64(SEED))
    wanted = quality.margins["bleu"] + EXTRA
    verdicts, drops = [], []
    for _ in range(POWER):
        fresh, sides = resampled({"live": good, "next": other, "bad": bad}, asked, drawn)
        mixed, drop = damaged(sides, wanted, drawn)
        drops.append(drop)
        verdicts.append(judge.weighed(fresh, mixed, sides["live"], quality).verdict)
    counts = {name: verdicts.count(name) for name in ("pass", "fail", "unsure")}
    return {"comparisons": POWER, "bleu_drop": round(float(np.mean(drops)), 2)} | counts


def damaged(sides: dict[str, Side], wanted: float, drawn: np.random.Generator) -> tuple[Side, float]:
    """The fewest answers of the damaged model, in a drawn order, that bring BLEU down by `wanted`; and the drop."""
    new, bad = sides["next"].scores.rows["bleu"], sides["bad"].scores.rows["bleu"]
    order = drawn.permutation(len(new))
    sums = new.sum(axis=0) + np.cumsum((bad - new)[order], axis=0)
    live = scores.bleu(sides["live"].scores.rows["bleu"].sum(axis=0, keepdims=True))[0]
    drops = live - scores.bleu(sums)
    count = int(np.argmax(drops >= wanted)) + 1
    mixed = {name: rows.copy() for name, rows in sides["next"].scores.rows.items()}
    for name, rows in mixed.items():
        rows[order[:count]] = sides["bad"].scores.rows[name][order[:count]]
    # the signs stay the good model's: the scores alone must catch it
    return Side(scores.Scores(mixed), sides["next"].signs), float(drops[count - 1])


def gated(asked: list[cases.Case], baseline: record.Record, quality: gates.Quality) -> report.Trial:
    """This checkout's model, asked now."""
    answers = versions.asked("this change", make.TINY, asked, OUT / "answers", say, again=True)
    found = report.Trial("this change", "pass", judge.judge(asked, answers, baseline, quality), answers)
    say(f"this change: {found.judgement.verdict}, {found.judgement.reason}")
    return found


def proved(
    began: dict[str, str],
    asked: list[cases.Case],
    baseline: record.Record,
    quality: gates.Quality,
    first: report.Trial,
    recorded: bool,
) -> list[str]:
    """What does not hold, in sentences; writes the report, and the spread where it is to be kept."""
    known = (*versions.BAD, *versions.GOOD)
    found = all_of(known, lambda version: trial(version, asked, baseline, quality))
    faults = [
        f"{version.name}: expected {version.expected} {version.sign}, got {one.judgement.verdict}"
        for version, one in zip(known, found, strict=True)
        if not right(version, one)
    ]
    trials = [first, *found]
    sides = {one.name: Side.of(asked, one.record) for one in trials}
    seeds = {name: side for name, side in sides.items() if name == first.name or name.startswith("retrained")}
    live, other = list(seeds.values())[:2]
    say(f"counting {ALARMS} comparisons of seeds and {POWER} planted drops")
    extra = {
        "spread": spread(asked, seeds, quality),
        "false_alarms": alarms(asked, seeds, quality),
        "power": power(asked, live, other, sides["over-quantised weights"], quality),
    }
    report.write(began, trials, asked, baseline, OUT, extra)
    if recorded:
        kept = {"recipe": versions.recipe(), **extra["spread"]}
        SPREAD.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    faults += [f"margin of {name} is under three times the spread of seeds" for name in tight(extra["spread"])]
    if extra["false_alarms"]["fail"] > ALARMS // 100:
        faults.append(f"{extra['false_alarms']['fail']} false alarms in {ALARMS}")
    if extra["power"]["fail"] < 0.95 * POWER:
        faults.append(f"only {extra['power']['fail']} of {POWER} drops caught")
    for name, value in extra.items():
        say(f"{name}: {value}")
    return faults


def tight(found: dict[str, Any]) -> list[str]:
    return [name for name, one in found.items() if isinstance(one, dict) and not one["enough"]]


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m quality.proof", description=__doc__)
    parser.add_argument("--all", action="store_true", help="the known versions, false alarms and power too")
    parser.add_argument("--record", action="store_true", help=f"and keep the spread of seeds in {SPREAD.name}")
    options = parser.parse_args(given)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the engines end with us
    try:
        return judged(options.all, options.record)
    except ReleaseError as error:
        say(f"quality: {error}")
        return error.code
    except (running.EngineError, gates.GatesError) as error:
        say(f"quality: {error}")
        return 1


def judged(everything: bool, recorded: bool) -> int:
    """The exit code: 0 no worse, 3 worse or not proven, 4 not enough evidence."""
    began, asked = checkout.origin(), cases.load()
    cases.refuse_leaks(asked, [pair.question for pair in world.trained()])
    baseline = record.load(cli.BASELINE)
    record.matched(baseline, asked, cli.BASELINE, "baseline")
    quality = gates.load().quality
    first = gated(asked, baseline, quality)
    if everything:
        faults = proved(began, asked, baseline, quality, first, recorded)
    else:
        report.write(began, [first], asked, baseline, OUT)
        faults = [] if first.judgement.verdict == "pass" else [first.judgement.reason]
    say("\n".join([*faults, f"report: {OUT / 'index.html'}"]))
    if not faults:
        return 0
    return 3 if everything or first.judgement.verdict == "fail" else 4


if __name__ == "__main__":
    sys.exit(main())
