"""A first install that nobody ever reached: there is no version before it that an abort could bring back."""

from lab.deliveries import Seen
from lab.holds import said
from lab.mishaps import at_version
from lab.site import Site, waited
from release import audit
from release.errors import Aborted
from release.verdict import NOTHING
from release.write import path_of

FIRST, PLACE, VERSION = "first", "environments/first", "v0.1.0"
WRONG = "--port=none"  # an argument as anybody may mistype one: the engine ends at once
SECONDS = {"pullSeconds": 5, "startupSeconds": 15}  # until a pod that is not ready ends its release


def never_served(site: Site) -> Seen:
    """A first install whose pods crash is told as failed; git keeps its file; mended, it serves without steps."""
    site.alone(FIRST)
    office, text = site.office, at_version(site, VERSION)
    broken = site.values(FIRST, {"engine": SECONDS | {"args": [WRONG]}})
    office.commit(f"chore({FIRST}): release {VERSION}", {f"{PLACE}/values.yaml": broken, path_of(FIRST): text})
    handed = site.deployed(FIRST)
    ring = site.bell.wait(FIRST, VERSION, "aborted")
    watched, words = said(office.clone("origin/main"), site, "watch", PLACE)
    kept, promoted = verdicts(site), [one for one in site.bell.rings if one.about(FIRST, VERSION, "promoted")]
    office.commit(f"fix({FIRST}): a port that is one", {f"{PLACE}/values.yaml": site.values(FIRST, {})})
    mended = site.deployed(FIRST)
    waited(lambda: [one.verdict for one in verdicts(site)] == ["aborted", "promoted"], f"{FIRST}: not promoted", 150)
    return {
        "handed over": handed.green and mended.green,
        "told as failed, and why": ring.ran is not None and ring.ran.green and "timed out" in ring.inputs["reason"],
        "never told as promoted": promoted == [],
        "the log says that nothing is before it": [NOTHING in one.reason for one in kept] == [True],
        "a watch ends": watched == Aborted.code and "never served" in words,
        "git keeps its file": office.text(path_of(FIRST)) == text,
        "mended, it goes without steps": mended.says("goes without steps"),
        "and serves": site.serves(FIRST),
    }


def verdicts(site: Site) -> list[audit.Entry]:
    return [one for one in audit.read(site.office.desk, FIRST, VERSION) if one.what == "verdict"]


FIRSTS = (never_served,)
