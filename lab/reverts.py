"""Git taken back by pull requests: where an environment wants them, and where the released branch is closed."""

from lab.office import OWNER, Office
from lab.scenes import CI, Scene, Seen, judged
from release import audit
from release.forge import PullRequest
from release.write import path_of

RUN = "/actions/runs/"  # in the address of a workflow run's page
REASON = "bad-share failed: 40 of 120 bad"


def newer(office: Office, version: str) -> str:
    """Give prod another version's file, and return the one that it had."""
    old = office.text(path_of("prod"))
    office.commit(f"chore(prod): promote {version}", {path_of("prod"): old.replace(office.version("prod"), version)})
    return old


def asked(office: Office, branch: str) -> list[PullRequest]:
    return [one for one in office.pulls.opened("main") if one.head == branch]


def changed(office: Office, pull: PullRequest) -> list[str]:
    files = office.forge.ask(OWNER, "GET", f"/repos/{office.path}/pulls/{pull.number}/files")
    return [one["filename"] for one in files]


def approved(office: Office, pull: PullRequest, green: bool) -> str:
    """Why the forge does not merge it after its review, empty when it does."""
    office.pulls.mark(pull.sha, "ci", "success" if green else "failure", "as it ended")
    office.reviews.approve(pull.number, "it is what runs")
    return office.merged(pull.number)


def started(office: Office, pull: PullRequest) -> set[str]:
    """What a workflow has started on the newest commit of a pull request, as the forge's own Actions list it."""
    of = f"event=workflow_dispatch&head_sha={pull.sha}"
    found = office.forge.ask(OWNER, "GET", f"/repos/{office.path}/actions/runs?{of}")
    return {one["path"] for one in found["workflow_runs"]}


def stopped_in_prod(office: Office) -> Seen:
    """Prod is written by pull requests: an abort there opens one of one file, its ci is started, and it is merged."""
    old = newer(office, "v0.1.3")
    ran, again = (judged(office, "prod", "v0.1.3", "aborted", REASON) for _ in range(2))
    [pull] = asked(office, "revert/prod/v0.1.3")
    untouched = office.version("prod") == "v0.1.3"
    event = {"inputs": {}, "ref": f"refs/heads/{pull.head}"}
    ci = office.run(pull.sha, "ci", "workflow_dispatch", event, "--job", "passed", "--matrix", "folder:model")
    jobs = sorted({name.partition("-")[0] for name, green in ci.jobs.items() if green})
    return {
        "green": ran.green and again.green,
        "one file": changed(office, pull) == [path_of("prod")],
        "says why and links the report": REASON in pull.body and RUN in pull.body,
        "main waits for its review": untouched,
        "ci is started on it": started(office, pull) == {f"ci.yml@refs/heads/{pull.head}"},
        f"and is green: {', '.join(jobs)}": ci.green and jobs == CI,
        "merged, git says what runs": approved(office, pull, ci.green) == "" and office.text(path_of("prod")) == old,
    }


def closed_main(office: Office) -> Seen:
    """Where main takes no commit of a workflow, a rollback by tag opens a pull request, and says so in one line."""
    old = newer(office, "v0.1.4")
    tip = office.desk.sha(office.desk.main)
    office.protected("ci", closed=True)
    ran = office.tagged("prod", "v0.1.0")
    [pull] = asked(office, "rollback/prod/v0.1.0")
    still, lines = office.desk.remote_tip("refs/heads/main") == tip, audit.read(office.desk, "prod", "v0.1.0")
    merged = approved(office, pull, green=True)
    office.protected("ci")
    return {
        "green": ran.green,
        "says what is left to do": ran.says(
            f"takes no commit from here: merge {pull.url}, so that git says v0.1.0 too"
        ),
        "main is as it was": still,
        "one file": changed(office, pull) == [path_of("prod")],
        "kept": lines[-1].what == "rollback" and lines[-1].link == pull.url,
        "merged, to the byte": merged == "" and office.text(path_of("prod")) == old,
    }


REVERTS: tuple[Scene, ...] = (stopped_in_prod, closed_main)
