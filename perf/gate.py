"""`make perf`: the candidate's engine against the live release's, interleaved in one run, judged by their ratio.

An engine is an image by digest, a git revision, a folder with `model/`, or `fake`. The live release is the one that an
environment's release.yaml names, unless `--baseline` names another. A first release has floors only: those that
gates.yaml names for this hardware, and good answers at the lowest load. `--proof` shows that the gate works.
"""

import argparse
import contextlib
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from perf import cpu, engine, live, picture, report, stats
from perf.errors import Failed, Invalid, PerfError, Refused, Unsure
from perf.hardware import CPU, hardware
from perf.session import BASELINE, CANDIDATE, FLOOD, SHARES, STEADY, Session, ceiling
from perf.stats import FAIL, PASS, Bounds, Slo
from release import checkout
from rollouts import gates

OUT = Path("build/perf")
QUOTA = 0.70
PROOF_WINDOWS = 20
LEAST_PAIRS = 6  # of a window that is judged alone


def options(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m perf.gate", description=__doc__)
    parser.add_argument("--candidate", default=str(engine.ROOT), help="the engine to judge; this tree unless given")
    parser.add_argument("--baseline", default="", help="an engine to compare with, in place of the live release's")
    parser.add_argument("--environments", type=Path, default=live.FOLDER, help="where the live release is looked up")
    parser.add_argument("--windows", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=24, help="of each kind of load in a window")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--proof", action="store_true", help="the candidate against itself, then held to 70 %% CPU")
    parser.add_argument("--out", type=Path, default=OUT)
    return parser.parse_args(given)


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)  # noqa: T201


@contextlib.contextmanager
def engines(what: dict[str, str], cores: Sequence[int], out: Path) -> Iterator[dict[str, engine.Engine]]:
    """All of them up at once, each having answered."""
    with contextlib.ExitStack() as stack:
        logs = {label: out / f"{label}.log" for label in what}
        found = {label: stack.enter_context(engine.running(name, cores, logs[label])) for label, name in what.items()}
        for label, one in found.items():
            say(f"waiting for the {label}: {what[label]}")
            engine.ready(one, logs[label])
        yield found


class Gate:
    """One run of `make perf`."""

    def __init__(self, asked: argparse.Namespace) -> None:
        known = gates.load().throughput
        self.began = checkout.origin()
        self.asked, self.floors = asked, dict(known.floors)
        self.bounds = Bounds(known.tolerated, known.unacceptable, known.confidence)
        self.slo = Slo(known.slo.ttft, known.slo.tpot)
        self.engine_cores, self.tool_cores = cpu.split()
        asked.out.mkdir(parents=True, exist_ok=True)

    def run(self) -> dict[str, Any]:
        asked = self.asked
        labels = {BASELINE: self.baseline(), CANDIDATE: asked.candidate}
        self.what = {label: name for label, name in labels.items() if name}
        model, context = engine.named_model(engine.ROOT)
        self.session = Session({}, model, context, self.slo, self.tool_cores, asked.seed, say)
        say("the tool alone, against a server that costs nothing")
        self.ceiling = ceiling(self.session, self.engine_cores)
        say(f"the tool's own ceiling is {self.ceiling:.0f} requests/s")
        with engines(self.what, self.engine_cores, asked.out) as up:
            self.session.urls = {label: one.url for label, one in up.items()}
            self.session.warm_up()
            self.knee = self.session.find_knee(self.ceiling)
            say(str(self.knee))
            found = self.proof(up) if asked.proof else self.compare()
        return self.written(found)

    def baseline(self) -> str:
        """The candidate itself in a proof; for a tree without a GPU, where no live image may run, the live tag."""
        asked = self.asked
        if asked.proof:
            return str(asked.candidate)
        tree = Path(asked.candidate).is_dir() and hardware() == CPU
        return str(asked.baseline or live.engine(asked.environments, tree=tree))

    @property
    def rates(self) -> dict[str, float]:
        """Below the knee, where latency is the engine's own; and far above it, where it gives all it can."""
        return {STEADY: self.knee.rate * SHARES[STEADY], FLOOD: self.knee.flood(self.ceiling)}

    def compare(self) -> dict[str, Any]:
        self.session.windows(self.rates, self.asked.windows, self.asked.pairs)
        measured = self.session.measured
        floors = report.floor_verdicts(measured, self.session.steps, hardware(), self.floors)
        first = BASELINE not in self.session.urls
        judged = report.Judged(stats.UNSURE, {}) if first else report.judged(measured, self.bounds)
        verdicts = [*([] if first else [judged.verdict]), *(one["verdict"] for one in floors)]
        judged = report.Judged(stats.together(verdicts), judged.metrics)
        return self.document(judged) | {"floors": floors, "first_release": first}

    def proof(self, up: dict[str, engine.Engine]) -> dict[str, Any]:
        """The same engine twice, window by window; then the candidate under a quota, in one window."""
        self.session.windows(self.rates, PROOF_WINDOWS, self.asked.pairs)
        same = list(self.session.measured)
        windows = report.by_window(same, self.bounds)
        self.session.measured.clear()
        say(f"the candidate held to {QUOTA:.0%} of its CPU")
        with cpu.quota(QUOTA, self.engine_cores, up[CANDIDATE].pids):
            self.session.windows(self.rates, 1, self.asked.pairs)
        held = report.judged(self.session.measured, self.bounds)
        self.session.measured = same + self.session.measured
        passed = [one.verdict for one in windows].count(PASS)
        shown = {
            "passed": passed,
            "windows": [one.document(self.bounds) for one in windows],
            "quota": QUOTA,
            "held": held.document(self.bounds),
            "proven": passed == len(windows) and held.verdict == FAIL,
        }
        return self.document(report.judged(same, self.bounds)) | {"proof": shown}

    def document(self, judged: report.Judged) -> dict[str, Any]:
        return report.document(judged, self.bounds, self.session.tool, self.ceiling)

    def written(self, found: dict[str, Any]) -> dict[str, Any]:
        names = {"candidate": self.what[CANDIDATE], "baseline": self.what.get(BASELINE), "seed": self.asked.seed}
        found = {
            **self.began,
            **found,
            **names,
            "hardware": hardware(),
            "knee": vars(self.knee),
            "slo": vars(self.slo),
            "rates": self.rates,
        }
        found |= {"steps": report.rows(self.session.steps), "phases": report.rows(self.session.measured)}
        report.save(found, self.asked.out / "report.json")
        picture.draw(self.session.steps, self.knee, self.slo, found, self.asked.out / "latency.png")
        print(report.table(self.session.steps, found))  # noqa: T201
        return found


def verdict(found: dict[str, Any]) -> None:
    """Raise what the run came to, unless it is a pass."""
    if not found["valid"]:
        raise Invalid(
            f"the run says nothing about the engines: {'; '.join(found['doubts'])}: run it on a quieter machine"
        )
    if shown := found.get("proof"):
        say(f"{shown['passed']} of {len(shown['windows'])} windows of the same engine passed")
        say(f"held to {shown['quota']:.0%} of its CPU: {shown['held']['verdict']}")
        if not shown["proven"]:
            raise Failed("the gate is not proven: see `proof` in report.json")
    elif missed := [one for one in found.get("floors", ()) if one["verdict"] == FAIL]:
        one = missed[0]
        raise Failed(f"the candidate misses a floor: {one['name']} {one['reached']:.2f}, needed {one['needed']:g}")
    elif found["verdict"] == FAIL:
        raise Failed(f"the candidate is slower: {found['metric']} at {found['ratio']:.3f} of the live release's")
    elif found["verdict"] != PASS:
        raise Unsure("not enough evidence: give it more time with --windows")


def main(given: Sequence[str] | None = None) -> int:
    asked = options(given)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an exception: engines end with whoever started them
    try:
        if asked.windows < 1 or asked.pairs < LEAST_PAIRS:
            raise Refused(f"--windows must be at least 1 and --pairs at least {LEAST_PAIRS}: fewer decide nothing")
        found = Gate(asked).run()
        verdict(found)
    except gates.GatesError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return Refused.code
    except PerfError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.code
    say(f"passed; the report is {asked.out / 'report.json'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
