"""What ci and nightly say on the real engine: red where a pull request's code is in order and its engine is not."""

import copy
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import releases
from lab.listener import Quiet, listening
from lab.office import Office
from lab.runner import Ran
from lab.scenes import Seen
from model import damage, make
from model import pin as pins

Harm = Callable[[Path], None]
SLOW = "--max-num-seqs=1"  # one request at a time: every answer as good as before, and far fewer tokens per second


def quality_drop(office: Office) -> Seen:
    """A pull request whose model answers worse is red by the quality gate and by nothing else, and is not merged."""
    only = ("--job", "prove", "--matrix", "folder:quality")
    with entrance() as (registry, asked):
        variables = {"REGISTRY": f"{registry}/{office.name}"}
        ran, why = refused(office, "break/answers", "feat(model): smaller weights", quantised, *only, **variables)
    return {
        "red by the gate": not ran.green and ran.says("broken text"),
        "its tests are green": not ran.says("FAILED tests/"),
        "merge refused": "status" in why,
        "no version": not office.tags(),
        "no image": asked == [],
    }


SLOWER = "the candidate is slower", "the candidate misses a floor"  # which of them comes first the machine decides


def throughput_drop(office: Office) -> Seen:
    """A pull request that makes the engine slower is red by the throughput gate: not merged, no version, no image."""
    with entrance() as (registry, asked):
        perf = copy.copy(office)  # no release.yaml names a live engine here: main's own stands in for it
        perf.env = office.env | {"BASELINE": office.desk.sha(office.desk.main), "DOCKER_CONFIG": str(office.folder)}
        title, variables = "perf(model): one request at a time", {"REGISTRY": f"{registry}/{office.name}"}
        ran, why = refused(perf, "break/throughput", title, slowed, "--job", "perf", **variables)
    return {
        "red by the gate": not ran.green and any(map(ran.says, SLOWER)),
        "its tokens per second are why": re.search(r"tokens_per_second +\S+ of .*: fail", ran.log) is not None,
        "merge refused": "status" in why,
        "no version": not office.tags(),
        "no image": asked != [] and set(asked) == {"GET /v2/"},
    }


@contextmanager
def entrance() -> Iterator[tuple[str, list[str]]]:
    """The door of a registry, where a job may log in; what it was asked for shows whether an image was pushed."""
    asked: list[str] = []

    class Door(Quiet):
        def answer(self) -> None:
            asked.append(f"{self.command} {self.path}")
            self.reply(200 if self.path == "/v2/" else 404)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = answer  # noqa: N815 - names that http.server looks for

    with listening(Door) as address:
        yield address, asked


def refused(office: Office, branch: str, title: str, harm: Harm, *only: str, **variables: str) -> tuple[Ran, str]:
    """Propose a harm, let ci judge it, and try to merge it all the same; how it ran, and why it was not merged."""
    clone = office.clone("origin/main")
    harm(clone)
    made = releases.committed(clone, title).commit
    releases.git(clone, "push", "--quiet", "--force", "origin", f"{made}:refs/heads/{branch}")
    pull = office.pulls.open(branch, "main", title, "")
    ran = office.proposed("ci", branch, made, *only, **variables)
    office.pulls.mark(made, "ci", "success" if ran.green else "failure", f"ci ended with {ran.code}")
    office.reviews.approve(pull.number, "looks good")
    return ran, office.merged(pull.number)


def quantised(clone: Path) -> None:
    """Weights of two bits, pinned as if they were meant so."""
    folder, file = clone / "model/tiny", clone / "model/model.yaml"
    damage.quantised(folder, damage.HARSH)
    pins.save(make.pinned(1, folder, file), file)


def contract_kept(office: Office) -> Seen:
    """The nightly contract, executed as it stands: the real engine keeps what Sluice relies on."""
    ran = office.run("origin/main", "nightly", "workflow_dispatch", {"ref": "refs/heads/main"}, "--job", "contract")
    counts = re.findall(r"(\d+) passed", ran.log)
    return {"green": ran.green, f"{counts[-1] if counts else 0} tests passed": bool(counts)}


def slowed(clone: Path) -> None:
    """The engine's own arguments, as anybody may change them with the best intentions."""
    releases.relaunched(releases.Source(clone, ""), SLOW)


GATED = (quality_drop, throughput_drop, contract_kept)
