"""What the e2e workflow does, executed as it stands: a lab from nothing, scenarios on it, and nothing left of it."""

import copy
import re

from lab import process
from lab.office import Office
from lab.scenes import Seen

SCENARIOS = "tests/e2e/existing"  # a good release and a bad one
VERDICTS = ("promoted", "aborted")


def e2e_played(office: Office) -> Seen:
    """The e2e workflow starts a lab, sees a good release promoted and a bad one stopped on it, and leaves nothing."""
    short = copy.copy(office)
    short.env = office.env | {"SCENARIOS": SCENARIOS}
    ran = short.asked("e2e", {})
    return {
        "green": ran.green and ran.jobs == {"e2e": True},
        "a good release promoted, a bad one stopped": all(re.search(rf"ok +{how}", ran.log) for how in VERDICTS),
        "nothing left of the lab": ran.says("3 passed, 0 failed") and not process.running(),
    }


PROOF = (e2e_played,)
