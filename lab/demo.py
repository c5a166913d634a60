"""`make demo`: on a real cluster with a real vLLM, a good release is promoted and a bad one is stopped."""

import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from lab import builder, checks, cluster, document, e2e, existing, measures, paths, releases, tools
from lab.document import Released
from lab.errors import LabError, Refused
from lab.footprint import Footprint
from lab.load import Load
from lab.observers import slack_messages
from lab.play import MAX_TOKENS, SERVED_NAME
from lab.programs import kubectl
from lab.scenario import Fault, When
from lab.stage import NAME, Images, Stage, figures
from lab.timeline import Timeline
from lab.traffic import Traffic
from release import checkout, samples
from release.errors import ReleaseError
from release.report import Report, Sample, save

OUT = paths.ROOT / "build/demo"
PORT = 30080
RATE = 15  # user requests per second: at 5 % a good share of a canary's evidence within a minute
RELEASE_SECONDS = 600
LOOKED_AT = 25  # percent, the last step: where a person would look at the answers
MEMORY_GIB = 10  # measured: 8, and a quarter more
DISK_GIB = 30  # measured: 24 with nothing built yet, and a quarter more
BAD = [Fault(when=When(source="user", step_at_least=5), share=0.5, do="http_500")]
WHAT = f"""sluice demo: on this machine, as root, without a GPU
  1  builds and starts a one-node Kubernetes with Argo Rollouts, Prometheus, Alertmanager and a registry
  2  builds the images: the gateway, and vLLM for the CPU with a tiny model
  3  installs v1.0.0, sends it {RATE} user requests per second until the end
  4  releases v1.1.0, a model with other weights: it should be promoted
  5  releases v1.2.0, which fails half of the users' requests from the 5 % step on: it should be stopped
It takes up to 45 minutes the first time (tools and images are built and cached in {paths.CACHE}), about 10 after that,
{DISK_GIB} GiB of disk the first time, and {MEMORY_GIB} GiB of memory."""


class Clock:
    """Where the time goes: one line per part, and all of them at the end."""

    def __init__(self) -> None:
        self.parts: list[tuple[str, float]] = []

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        e2e.say(f"== {name}")
        began = time.monotonic()
        yield
        self.parts.append((name, time.monotonic() - began))
        e2e.say(f"   {name}: {self.parts[-1][1]:.0f} s")

    def line(self) -> str:
        return "where the time went: " + ", ".join(f"{name} {seconds:.0f} s" for name, seconds in self.parts)


def main() -> int:
    e2e.say(WHAT)
    try:
        return run()
    except (LabError, ReleaseError) as error:
        print(f"demo: {error}", file=sys.stderr)  # noqa: T201
        return error.code


def run() -> int:
    room()
    clock = Clock()
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    with Footprint(paths.CACHE) as footprint:
        report = proved(clock, footprint)
    e2e.say(clock.line())
    return told(report)


def proved(clock: Clock, footprint: Footprint) -> Report:
    """The whole way, from tools to the report."""
    began = time.time()
    with clock.part("tools"):
        tools.ensure(e2e.say)
    with clock.part("lab"):
        existing.up(e2e.say) if paths.EXISTING else cluster.up(e2e.say)
    with clock.part("images"):
        images = built()
    stage = Stage("demo", PORT, OUT)
    stage.remove()
    done, name = released(stage, images, clock)
    return written(stage, done, began, engine=name, footprint=footprint.figures())


def room() -> None:
    """Raises Refused when memory is short, or the disk too small for a first build."""
    checks.memory(MEMORY_GIB)
    paths.CACHE.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(paths.CACHE).free / 2**30
    if not (paths.CACHE / "registry").exists() and free < DISK_GIB:
        raise Refused(f"{paths.CACHE} has {free:.0f} GiB free, the first demo needs {DISK_GIB}: set SLUICE_CACHE")


def built() -> list[Images]:
    """Three releases from three commits: as checked out, other weights, another start of the engine."""
    with builder.running() as client:
        yard = releases.Yard(client, builder.quiet(e2e.say))
        first = releases.clone(paths.ROOT / "build/source")
        one = yard.real(first)
        second = releases.retrained(first, seed=2)
        two = yard.next_real(one, second)
        three = yard.next_real(two, releases.relaunched(second, "--max-num-seqs=32"))
    return [one, two, three]


def released(stage: Stage, images: list[Images], clock: Clock) -> tuple[list[Released], str]:
    """What came of each release, and the name of the engine."""
    with clock.part("v1.0.0 installs"):
        began = time.time()
        stage.install(images[0], [])
    name = engine(stage)
    users = Traffic(stage.url, RATE, out=OUT / "requests.jsonl", model=SERVED_NAME, max_tokens=MAX_TOKENS["real"])
    load = Load(users)
    load.start()
    try:
        with Timeline(stage.cluster()) as timeline:
            with clock.part("users and probes show what is normal"):
                stage.wait_baseline()
            done = [Released("v1.0.0", began, time.time(), "promoted", timeline.wait_first())]
            for version, image, faults in (("v1.1.0", images[1], []), ("v1.2.0", images[2], BAD)):
                with clock.part(f"{version} is released"):
                    done.append(one(stage, timeline, version, image, faults))
            time.sleep(10)  # users go on after the verdict: what an abort breaks shows now
    finally:
        load.stop()
    return done, name


def one(stage: Stage, timeline: Timeline, version: str, image: Images, faults: list[Fault]) -> Released:
    """Hand one release over and follow it to its verdict."""
    began = time.time()
    stage.write(version, image, faults)
    watcher = stage.deploy(RELEASE_SECONDS)
    seen, answers = 0, list[Sample]()
    while not timeline.ended(version) and time.time() - began < RELEASE_SECONDS:
        for moment in timeline.news(version, seen, 5):
            e2e.say(f"   {moment.at - began:4.0f} s  {version} at {moment.weight:3d} %  {moment.phase}")
            seen += 1
            if LOOKED_AT <= moment.weight < 100 and not answers:
                answers = side_by_side(stage)
    verdict = timeline.wait_verdict(version, 1)
    ended = time.time()
    watcher.wait(60)
    return Released(version, began, ended, verdict, timeline.of(version), stage.explained(), answers)


def side_by_side(stage: Stage) -> list[Sample]:
    """What both arms answer, as a person who approves sees it; none when the canary is gone meanwhile."""
    with suppress(ReleaseError):
        return samples.taken(samples.through(stage.cluster(), stage.url, SERVED_NAME))
    return []


def engine(stage: Stage) -> str:
    """The engine's name and version, as it says them itself, while there is one pod of it."""
    ask = "import urllib.request as web; print(web.urlopen('http://127.0.0.1:8000/version').read().decode())"
    selector = "app.kubernetes.io/component=engine"
    pod = kubectl("get", "pods", "-n", stage.namespace, "-l", selector, "-o", "name").split()[0]
    said = kubectl("exec", "-n", stage.namespace, pod, "-c", "engine", "--", "python3", "-c", ask)
    return f"vllm {json.loads(said)['version']}"


def written(stage: Stage, done: list[Released], began: float, **seen: Any) -> Report:
    records = measures.read(OUT / "requests.jsonl")
    fail_at, pass_at = document.thresholds()
    report = Report(
        commit=checkout.commit(),
        started=datetime.fromtimestamp(began, UTC),
        took_seconds=round(time.time() - began, 1),
        releases=[release.judged(records) for release in done],
        requests=document.requests(records),
        slack=slack_messages(began),
        timeline=document.timeline(done, records, began),
        evidence=document.evidence(figures(), f"{stage.namespace}/{NAME}-engine", done, began),
        samples=next((list(one.samples) for one in done if one.samples), []),
        fail_at=fail_at,
        pass_at=pass_at,
        **seen,
    )
    save(report, OUT / "report.json")
    return report


def told(report: Report) -> int:
    """Say what came of it; 0 when the good ones were promoted, the bad one was stopped and no user has noticed."""
    for one in report.releases:
        detected = f", {one.detect_seconds:.0f} s after its first bad request" if one.detect_seconds else ""
        e2e.say(f"{one.version}: {one.verdict} at {one.max_weight} %{detected} ({one.seconds:.0f} s)")
    seen = report.requests
    e2e.say(f"users: {seen.total} requests, {seen.failed} failed, {seen.failed_stable} of them on stable")
    if took := report.footprint:
        e2e.say(f"at most {took.memory_gib} GiB of memory and {took.disk_gib} GiB of disk over what was in use before")
    e2e.say(f"report: {OUT}/report.html")
    e2e.say("the lab still runs: `make lab-status` says how to reach it, `make lab-down` ends it")
    verdicts = [one.verdict for one in report.releases]
    return 0 if verdicts == ["promoted", "promoted", "aborted"] and not seen.failed else 1  # rescue hides a bad one


if __name__ == "__main__":
    sys.exit(main())
