"""Pull requests whose code is in order and whose model is not: the gate of ci, on the real engine, turns them red."""

from collections.abc import Callable
from pathlib import Path

from lab import releases
from lab.office import Office
from lab.runner import Ran
from lab.scenes import Seen
from model import damage, make
from model import pin as pins

Harm = Callable[[Path], None]


def quality_drop(office: Office) -> Seen:
    """A pull request whose model answers worse is red by the quality gate and by nothing else, and is not merged."""
    only = ("--job", "prove", "--matrix", "folder:quality")
    ran, why = refused(office, "break/answers", "feat(model): smaller weights", quantised, *only)
    return {
        "red by the gate": not ran.green and ran.says("broken text"),
        "its tests are green": not ran.says("FAILED tests/"),
        "merge refused": "status" in why,
        "no version, no image": not office.desk.git("tag").strip(),
    }


def refused(office: Office, branch: str, title: str, harm: Harm, *only: str) -> tuple[Ran, str]:
    """Propose a harm, let ci judge it, and try to merge it all the same; how it ran, and why it was not merged."""
    clone = office.clone("origin/main")
    harm(clone)
    made = releases.committed(clone, title).commit
    releases.git(clone, "push", "--quiet", "--force", "origin", f"{made}:refs/heads/{branch}")
    pull = office.pulls.open(branch, "main", title, "")
    ran = office.proposed("ci", branch, made, *only)
    office.pulls.mark(made, "ci", "success" if ran.green else "failure", f"ci ended with {ran.code}")
    office.reviews.approve(pull.number, "looks good")
    return ran, office.merged(pull.number)


def quantised(clone: Path) -> None:
    """Weights of two bits, pinned as if they were meant so."""
    folder, file = clone / "model/tiny", clone / "model/model.yaml"
    damage.quantised(folder, damage.HARSH)
    pins.save(make.pinned(1, folder, file), file)


GATED = (quality_drop,)
