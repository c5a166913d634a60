"""What happens to a team: each scene does something on the forge and returns what was seen, each as a yes or a no."""

import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lab.office import Office
from lab.runner import Ran
from lab.seal import signed
from release import audit
from release.errors import WrongHash
from release.version import tags, text_of
from release.write import path_of

REGISTRY = "127.0.0.1:5000/sluice"
DIGESTS = {name: f"{REGISTRY}/{name}@sha256:{letter * 64}" for name, letter in (("gateway", "a"), ("engine", "b"))}
CI = ["check", "infrastructure", "messages", "passed", "prove"]  # perf has nothing to compare with without a registry
REVERT_SECONDS = 15  # from the notification of an abort to git saying what runs
Seen = dict[str, Any]
Scene = Callable[[Office], Seen]


def broken_test(office: Office) -> Seen:
    """A pull request that breaks a unit test is red, the forge does not merge it, and nothing is tagged."""
    text = office.text("model/started.py").replace("status != 200", "status >= 600")
    return refused_pull(office, "break/unit", "fix(model): a faster start", {"model/started.py": text}, "model")


def broken_gate(office: Office) -> Seen:
    """A pull request that lets a gate pass anything is red in two jobs and so in `passed`, which the forge wants."""
    text = re.sub(r"success", "failure", office.text("rollouts/analysis/bad-share.yaml"))
    files = {"rollouts/analysis/bad-share.yaml": text}
    return refused_pull(office, "break/gate", "perf(rollouts): faster gates", files, "rollouts", "passed")


def refused_pull(
    office: Office, branch: str, title: str, files: dict[str, str], folder: str, job: str = "prove"
) -> Seen:
    made = office.commit(title, files, branch)
    pull = office.pulls.open(branch, "main", title, "")
    ran = office.proposed("ci", branch, made, "--job", job, "--matrix", f"folder:{folder}")
    office.pulls.mark(made, "ci", "success" if ran.green else "failure", f"ci ended with {ran.code}")
    office.reviews.approve(pull.number, "looks good")
    why = office.merged(pull.number)
    red = [name for name, green in ran.jobs.items() if not green]
    return {
        f"red: {', '.join(red)}": not ran.green and job in [name.partition("-")[0] for name in red],
        "a test failed": ran.says(f"FAILED tests/{folder}"),
        "merge refused": "status" in why,
        "no version": not office.tags(),
    }


def bad_message(office: Office) -> Seen:
    """A pull request without a conventional message is red, with the commit named."""
    made = office.commit("Update stuff", {"notes.txt": "x"}, "break/message")
    ran = office.proposed("ci", "break/message", made, "--job", "messages")
    return {"red": not ran.green, "named": ran.says(made[:12]), "no tag": not office.tags()}


def good_pull(office: Office) -> Seen:
    """A good pull request is green in every job that ci has for a fork, and is merged only once it is approved."""
    text = office.text("model/pin.py").replace('"""The model pin:', '"""The pin of the model:')
    made = office.commit("feat(model): a clearer word", {"model/pin.py": text}, "feat/word")
    pull = office.pulls.open("feat/word", "main", "feat(model): a clearer word", "")
    ran = office.proposed("ci", "feat/word", made, "--job", "passed", "--matrix", "folder:model")
    office.pulls.mark(made, "ci", "success" if ran.green else "failure", f"ci ended with {ran.code}")
    before = office.merged(pull.number)
    office.reviews.approve(pull.number, "looks good")
    jobs = sorted({name.partition("-")[0] for name, green in ran.jobs.items() if green})
    return {
        f"green: {', '.join(jobs)}": ran.green and jobs == CI,
        "asks for a review": "approval" in before,
        "merged": office.merged(pull.number) == "",
    }


def versioned(office: Office) -> Seen:
    """A merge gets an annotated tag with a changelog and a release page; run again, the same, still to be released."""
    tip = office.desk.sha(office.desk.main)
    first, again = (office.pushed("release", tip, "--job", "version", REGISTRY=REGISTRY) for _ in range(2))
    office.desk.fetch()
    kind = office.desk.git("cat-file", "-t", "v0.1.0").strip()
    page = office.forge.ask("ada", "GET", "/repos/ada/llm/releases/tags/v0.1.0")
    return {
        "green": first.green and again.green,
        "tag": kind == "tag" and office.desk.git("tag").split() == ["v0.1.0"],
        "changelog": "a clearer word" in page["body"],
        "to be released until an environment has it": all(
            ran.says("output:: unreleased=true") for ran in (first, again)
        ),
    }


def two_merges(office: Office) -> Seen:
    """Two merges at once: the newer has the newest version; the older has one below it, or is in the newer's."""
    pair = [office.commit(f"fix(app): number {number}", {"notes.txt": str(number)}) for number in (1, 2)]
    with ThreadPoolExecutor() as pool:
        runs = list(pool.map(lambda one: office.pushed("release", one, "--job", "version", REGISTRY=REGISTRY), pair))
    office.desk.fetch()
    names = tags(office.desk)
    tagged, said = [office.desk.sha(f"refs/tags/{one}") for one in names], [text_of(office.desk, one) for one in names]
    return {
        "both green": all(ran.green for ran in runs),
        "the newest version is the newer's": tagged[0] == pair[1],
        "no commit has two": len(set(tagged)) == len(tagged),
        "neither is lost": all("\n".join(said).count(f"number {number}") == 1 for number in (1, 2)),
    }


def fork(office: Office) -> Seen:
    """A fork that names neither registry nor cluster: a merge builds nothing, deploys nothing and is green."""
    tip = office.desk.sha(office.desk.main)
    released, deployed = office.pushed("release", tip), office.pushed("promote", tip)
    return {
        "green": released.green and deployed.green,
        "no version": not released.says("sluice version"),
        "no deployment": deployed.says("nothing to deploy") and not deployed.says("handed over"),
    }


def record(office: Office, version: str, environment: str = "staging", images: Mapping[str, str] = DIGESTS) -> int:
    named = [word for target, image in images.items() for word in (f"--{target}", image)]
    office.desk.git("checkout", "--quiet", "--force", "--detach", office.desk.main)
    return office.sluice("record", environment, "--version", version, *named)[0]


def judged(office: Office, environment: str, version: str, verdict: str, reason: str = "") -> Ran:
    """What Argo's notification starts."""
    inputs = {"environment": environment, "version": version, "verdict": verdict, "reason": reason, "link": ""}
    return office.asked("verdict", inputs)


def promotion(office: Office) -> Seen:
    """Staging's good verdict allows a pull request of one file; approved and merged, prod's file is staging's."""
    refused = office.sluice("promote", "staging", "prod")[0]
    recorded, early = record(office, "v0.1.0"), office.sluice("promote", "staging", "prod")[0]
    verdict = judged(office, "staging", "v0.1.0", "promoted")
    ran = office.asked("promote", {"source": "staging", "target": "prod"})
    [pull] = [one for one in office.pulls.opened("main") if one.head == "promote/prod/v0.1.0"]
    files = office.forge.ask("ada", "GET", f"/repos/ada/llm/pulls/{pull.number}/files")
    before = office.merged(pull.number)
    office.pulls.mark(pull.sha, "ci", "success", "green")
    office.reviews.approve(pull.number, "as judged")
    merged, wrote = office.merged(pull.number), office.desk.commits(office.desk.main, path_of("staging"))[0].sha
    return {
        "unverified refused": (refused, early) == (13, 13),
        "recorded": recorded == 0 and verdict.green and ran.green,
        "status": office.pulls.marks(wrote).get("sluice/staging") == "success",
        "one file": [one["filename"] for one in files] == [path_of("prod")],
        "review wanted": before != "" and merged == "",
        "prod is staging": office.text(path_of("prod")) == office.text(path_of("staging")) != "",
    }


def aborted(office: Office) -> Seen:
    """A release that is bad only under traffic is taken back in git; prod never sees it, told twice it is done once."""
    good = office.text(path_of("staging"))
    judged(office, "prod", "v0.1.0", "promoted")
    recorded = record(office, "v0.1.1")
    began = time.monotonic()
    ran = judged(office, "staging", "v0.1.1", "aborted", "bad-share failed: 40 of 120 bad")
    took = round(time.monotonic() - began, 1)
    tip = office.desk.remote_tip("refs/heads/main")
    again = judged(office, "staging", "v0.1.1", "aborted", "bad-share failed: 40 of 120 bad")
    return {
        "recorded": recorded == 0,
        "green": ran.green and again.green,
        "git says what runs": office.text(path_of("staging")) == good,
        "once": office.desk.remote_tip("refs/heads/main") == tip,
        "reason in git": "bad-share failed" in office.desk.commits(office.desk.main, path_of("staging"))[0].body,
        "prod untouched": office.version("prod") == "v0.1.0",
        f"in {took} s": took <= REVERT_SECONDS,
    }


def rolled_back(office: Office) -> Seen:
    """A tag deploy/prod/v… brings back the file of that version; unknown versions change nothing."""
    old = office.text(path_of("prod"))
    newer = old.replace("v0.1.0", "v0.1.2").replace("b" * 64, "c" * 64)
    office.commit("chore(prod): promote v0.1.2", {path_of("prod"): newer})
    began = office.desk.git("ls-remote", "origin")
    unknown = office.sluice("rollback", "v9.9.9")[0]
    same = office.desk.git("ls-remote", "origin") == began
    ran = office.tagged("prod", "v0.1.0")
    lines = audit.read(office.desk, "prod", "v0.1.0")
    return {
        "unknown refused": unknown == 12 and same,
        "green": ran.green,
        "to the byte": office.text(path_of("prod")) == old,
        "kept": lines[-1].what == "rollback" and lines[-1].who == "ada",
    }


def forge_down(office: Office) -> Seen:
    """With the forge away a promotion ends in one line and changes nothing; the same command continues later."""
    record(office, "v0.1.2")
    judged(office, "staging", "v0.1.2", "promoted")
    office.forge.down()
    code, said = office.sluice("promote", "staging", "prod")
    office.forge.up()
    after, link = office.sluice("promote", "staging", "prod")
    again, same = office.sluice("promote", "staging", "prod")
    return {
        "one line": code == 10 and "run the same command again" in said,
        "continues": after == again == 0 and link == same and "/pulls/" in link,
        "prod untouched": office.version("prod") == "v0.1.0",
    }


def bad_file(office: Office) -> Seen:
    """A release.yaml with a wrong hash is refused before any cluster is asked."""
    folder = office.desk.root / "environments/staging"
    office.desk.git("checkout", "--quiet", "--force", "--detach", office.desk.main)
    file = folder / "release.yaml"
    file.write_text(re.sub(r"(gates: sha256:)\w+", r"\g<1>" + "0" * 64, file.read_text()))
    code, said = office.sluice("deploy", str(folder), "--no-watch")
    office.desk.git("checkout", "--quiet", "--", ".")
    return {"refused": code == WrongHash.code, "one line": "release.gates" in said}


SCENES: tuple[Scene, ...] = (
    broken_test,
    broken_gate,
    bad_message,
    good_pull,
    versioned,
    two_merges,
    fork,
    promotion,
    aborted,
    rolled_back,
    forge_down,
    bad_file,
    signed,
)
