"""Rules of every workflow that no linter knows."""

import copy
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
ACTIONS = sorted((ROOT / ".github/actions").glob("*/action.yml"))
LOADED = {file.stem: YAML(typ="safe").load(file.read_text()) for file in FILES}
JOBS = [(name, key, job) for name, found in LOADED.items() for key, job in found["jobs"].items()]
STEPS = [(f"{name}.{key}", step) for name, key, job in JOBS for step in job["steps"]]
STEPS += [(f.parent.name, step) for f in ACTIONS for step in YAML(typ="safe").load(f.read_text())["runs"]["steps"]]
RUNS = sorted({step["run"] for _, step in STEPS if "run" in step})
PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


def test_the_workflows_that_are_documented_are_there() -> None:
    assert set(LOADED) == {"ci", "e2e", "release", "verdict", "promote", "rollback", "nightly"}


@pytest.mark.parametrize("name", LOADED)
def test_nothing_is_allowed_that_a_job_does_not_ask_for(name: str) -> None:
    found = LOADED[name]
    assert found["permissions"] == {}
    assert "concurrency" in found
    assert all("permissions" in job and job["timeout-minutes"] <= 240 for job in found["jobs"].values())


def test_what_measures_runs_on_the_named_machine_and_says_which() -> None:
    for name, key in [("ci", "prove"), ("ci", "perf"), ("release", "image")]:
        job = LOADED[name]["jobs"][key]
        assert "vars.GPU_RUNNER" in job["runs-on"]
        assert "|| 'ubuntu-latest'" in job["runs-on"]
        [shown] = [step for step in job["steps"] if step.get("run") == "make summary"]
        assert shown["if"].startswith("always()")
        assert "vars.GPU_RUNNER" in shown["env"]["GPU_RUNNER"]


def test_a_pull_requests_code_never_runs_on_a_machine_of_ours() -> None:
    for job in LOADED["ci"]["jobs"].values():
        if "vars." in job["runs-on"]:
            assert "github.event_name == 'push' && vars.GPU_RUNNER" in job["runs-on"]


@pytest.mark.parametrize("name", ["release", "promote", "verdict", "rollback"])
def test_a_deployment_is_never_cancelled(name: str) -> None:
    assert LOADED[name]["concurrency"]["cancel-in-progress"] is False


@pytest.mark.parametrize(
    ("name", "parts"),
    [("verdict", ["environment", "version", "part"]), ("rollback", ["environment"]), ("promote", ["source", "target"])],
)
def test_what_must_not_be_lost_never_waits_in_a_group_with_another(name: str, parts: list[str]) -> None:
    """A forge keeps one waiting run of a group, and cancels those that waited before it."""
    group = LOADED[name]["concurrency"]["group"]
    assert all(f"inputs.{part}" in group for part in parts)


@pytest.mark.parametrize("line", RUNS)
def test_a_step_is_one_line_without_expressions(line: str) -> None:
    assert "\n" not in line
    assert "${{" not in line


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a runner checks out: only what is tracked, as it is now. Its origin is its own: ours may have no main."""
    folder = tmp_path_factory.mktemp("fresh") / "clone"
    git = ["git", "-C", str(folder), "-c", "user.name=x", "-c", "user.email=x@invalid"]
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    changed = subprocess.run(["git", "diff", "--binary", "HEAD"], cwd=ROOT, capture_output=True, check=True).stdout
    if changed:
        subprocess.run([*git, "apply", "--index", "-"], input=changed, check=True)
    subprocess.run([*git, "checkout", "--quiet", "--orphan", "fresh"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message=chore: now"], check=True)
    subprocess.run(["git", "init", "--quiet", "--bare", str(folder.parent / "origin")], check=True)
    subprocess.run([*git, "remote", "set-url", "origin", str(folder.parent / "origin")], check=True)
    subprocess.run([*git, "push", "--quiet", "origin", "HEAD:refs/heads/main"], check=True)
    return folder


def pasted(line: str, clone: Path) -> "subprocess.CompletedProcess[str]":
    """A line in a shell that knows nothing but where programs are."""
    keep = ("PATH", "HOME", "SLUICE_CACHE", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "SSL_CERT_FILE")
    env = {key: os.environ[key] for key in keep if key in os.environ}
    words = ["bash", "--noprofile", "--norc", "-e", "-c", line]
    return subprocess.run(words, cwd=clone, capture_output=True, text=True, env=env)


@pytest.mark.parametrize("line", RUNS)
def test_every_line_can_be_pasted_into_a_fresh_shell_of_a_fresh_clone(line: str, clone: Path) -> None:
    """Of a target make says here what it would do; other lines run, and so do quick targets below."""
    dry = line.replace("sudo --preserve-env ", "").replace("make", "make --dry-run", 1)
    done = pasted(dry, clone)
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr.lower()


@pytest.mark.parametrize("line", ["make deploy", "make drift", "make summary"])
def test_a_fresh_fork_deploys_nothing_and_is_green(line: str, clone: Path) -> None:
    assert line in RUNS
    done = pasted(line, clone)
    assert done.returncode == 0, done.stderr
    assert re.search("nothing to (deploy|compare)|Did not run here", done.stdout)


def test_the_next_version_is_told_in_a_fresh_clone(clone: Path) -> None:
    """Executed as it stands, on a history that a checkout without one cannot spoil."""
    git = ["git", "-C", str(clone), "-c", "user.name=x", "-c", "user.email=x@invalid"]
    subprocess.run([*git, "tag", "--annotate", "--message=v9.9.9", "v9.9.9"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "--message=feat(app): a door"], check=True)
    done = pasted("make next", clone)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "v9.10.0"), done.stderr
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "--message=Update stuff"], check=True)
    assert pasted("make next", clone).returncode != 0


@pytest.mark.parametrize("line", ["make no-such-target", "git checkout --quiet nowhere", "test -z x"])
def test_a_line_that_does_not_work_is_seen(line: str, clone: Path) -> None:
    assert pasted(line.replace("make", "make --dry-run", 1), clone).returncode != 0


def test_a_pull_requests_title_is_judged_and_a_new_one_again() -> None:
    """Only through the environment: a title is anybody's text, and would be a command in the line itself."""
    ci: dict[str, Any] = LOADED["ci"]
    [step] = [step for step in ci["jobs"]["messages"]["steps"] if step.get("run") == "make next"]
    [(name, told)] = step["env"].items()
    assert told == "${{ github.event.pull_request.title }}"
    assert f'envvar="{name}"' in (ROOT / "release/flow.py").read_text()
    assert "edited" in ci["on"]["pull_request"]["types"]


def test_every_action_is_pinned_by_commit_with_its_version() -> None:
    uses = [
        line.strip().removeprefix("- ")
        for file in (*FILES, *ACTIONS)
        for line in file.read_text().splitlines()
        if line.strip().removeprefix("- ").startswith("uses:")
    ]
    assert len(uses) > len(FILES)
    ours = [f"uses: ./{file.parent.relative_to(ROOT)}" for file in ACTIONS]
    assert [line for line in uses if line not in ours and not PINNED.fullmatch(line)] == []
    assert set(ours) <= set(uses)


def test_who_deploys_or_pushes_logs_in_by_the_forges_own_token() -> None:
    """A registry may be private, also to its own workflows: a deployment checks images and signatures there."""
    jobs = {"image": "PUSH", "perf": "PULL", "staging": "PULL", "deploy": "PULL", "rollback": "PULL"}
    seen = {}
    for _, key, job in JOBS:
        for step in job["steps"]:
            if step.get("uses") == "./.github/actions/registry":
                assert job["permissions"]["id-token"] == "write"
                assert job["permissions"]["packages"] in ("read", "write")
                seen[key] = re.findall(r"vars\.AWS_(\w+)_ROLE", step["with"]["role"])
    assert seen == {key: [role] for key, role in jobs.items()}


def proved(targets: list[str]) -> set[str]:
    """The folders below tests/ that make gives to pytest for these targets."""
    said = subprocess.run(["make", "--dry-run", *targets], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    lines = [line for line in said.splitlines() if " -m pytest " in line]
    return {word.removeprefix("tests/") for line in lines for word in line.split() if word.startswith("tests/")}


def test_every_folder_that_has_tests_is_proved_in_ci() -> None:
    """The scenarios of tests/e2e are another workflow's."""
    matrix: dict[str, Any] = LOADED["ci"]["jobs"]["prove"]["strategy"]["matrix"]
    there = {file.relative_to(ROOT / "tests").parts[0] for file in (ROOT / "tests").rglob("test_*.py")}
    assert proved(matrix["folder"]) == there
    for left_out in matrix["folder"]:
        assert proved([one for one in matrix["folder"] if one != left_out]) != there


@pytest.mark.parametrize(
    ("target", "needs"),
    [("app", {"otelcol"}), ("charts", {"helm", "definitions"}), ("rest", {"actionlint", "cosign", "gitea", "helm"})],
)
def test_what_tests_would_be_skipped_without_is_built_before_them(target: str, needs: set[str]) -> None:
    said = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    before, asked, _ = said.partition(" -m pytest ")
    assert asked
    assert needs <= {word for line in before.splitlines() if " lab tools " in line for word in line.split()}


def test_what_is_skipped_in_a_workflow_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "tests/conftest.py").read_text())
    lines = ["import pytest", "@pytest.mark.skipif(True, reason='no such program')", "def test_one(): ...", ""]
    (tmp_path / "test_one.py").write_text("\n".join(lines) + "def test_two(): pytest.skip('nor that one')\n")
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", str(tmp_path)]
    for told, code in (("", 0), ("true", 1)):
        env = os.environ | {"GITHUB_ACTIONS": told}
        done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == code, done.stdout
    for why in ("no such program", "nor that one"):
        assert f"left out in a workflow: Skipped: {why}" in done.stdout


def test_no_credentials_stay_in_a_checkout() -> None:
    checkouts = [step for _, step in STEPS if step.get("uses", "").startswith("actions/checkout@")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def unproven(image: dict[str, Any]) -> list[str]:
    """What is wrong with a job that builds, measures and signs: each must be of the digest that was measured."""
    steps: list[dict[str, Any]] = image["steps"]
    at = {step["run"]: number for number, step in enumerate(steps) if "run" in step}
    order = [at.get(f"make {name}", -1) for name in ("candidate", "perf", "sign")]
    if -1 in order or order != sorted(order):
        return ["candidate, perf, sign: not there, or not in this order"]
    built, measured, signed = (steps[number] for number in order)
    pushed = {name: f"${{{{ steps.{built.get('id')}.outputs.{name} }}}}" for name in ("gateway", "engine")}
    wrong = [] if measured["env"] == {"CANDIDATE": pushed["engine"]} else ["perf measures another engine"]
    if signed["env"] != {"GATEWAY": pushed["gateway"], "ENGINE": pushed["engine"]}:
        wrong.append("sign signs other images")
    if image["outputs"] != pushed:
        wrong.append("staging gets other images")
    never = [step["run"] for step in (built, measured, signed) if {"if", "continue-on-error"} & step.keys()]
    return wrong + [f"{line}: may be left out, or fail without an end" for line in never]


def test_a_release_is_measured_by_its_digest_before_it_is_signed_and_tagged() -> None:
    job: dict[str, Any] = LOADED["release"]["jobs"]["image"]
    assert unproven(job) == []
    staging = LOADED["release"]["jobs"]["staging"]
    assert "image" in staging["needs"]
    given = {name: staging["env"][name.upper()] for name in ("gateway", "engine")}
    assert given == {name: f"${{{{ needs.image.outputs.{name} }}}}" for name in given}


def swapped(image: dict[str, Any]) -> None:
    steps = image["steps"]
    perf, sign = (next(step for step in steps if step.get("run") == f"make {name}") for name in ("perf", "sign"))
    here, there = steps.index(perf), steps.index(sign)
    steps[here], steps[there] = sign, perf


def of_step(name: str, **changes: Any) -> Callable[[dict[str, Any]], None]:
    def change(image: dict[str, Any]) -> None:
        next(step for step in image["steps"] if step.get("run") == f"make {name}").update(changes)

    return change


@pytest.mark.parametrize(
    "fault",
    [
        swapped,
        of_step("perf", run="make bench"),
        of_step("perf", env={"CANDIDATE": "${{ steps.image.outputs.gateway }}"}),
        of_step("perf", **{"continue-on-error": True}),
        of_step("perf", **{"if": "vars.GPU_RUNNER != ''"}),
        of_step("candidate", id="built"),
        of_step("sign", env={"GATEWAY": "latest", "ENGINE": "latest"}),
    ],
)
def test_a_release_that_signs_what_was_not_measured_is_seen(fault: Callable[[dict[str, Any]], None]) -> None:
    job = copy.deepcopy(LOADED["release"]["jobs"]["image"])
    fault(job)
    assert unproven(job) != []


REACHES = {"make deploy", "make rollback", "make verdict", "make drift"}  # a cluster, by the run's own token


def test_the_token_that_reaches_a_cluster_is_always_mains() -> None:
    """Its subject names the ref, and a role is bound to main's alone; a tag's would be another user for every tag."""
    seen = set()
    for name, key, job in JOBS:
        if reached := REACHES & {step.get("run") for step in job["steps"]}:
            seen |= reached
            assert job["permissions"]["id-token"] == "write"
            assert "environment" not in job  # it would be the subject
            push = LOADED[name]["on"].get("push")
            asked = job.get("if") == "github.event_name == 'workflow_dispatch'"
            assert asked or push is None or (push["branches"] == ["main"] and "tags" not in push), f"{name}.{key}"
    assert seen == REACHES
    example = (ROOT / "infrastructure/cluster/example.tfvars").read_text()
    assert set(re.findall(r"subjects = \[(.*)\]", example)) == {'"repo:your-org/sluice:ref:refs/heads/main"'}


def test_a_tags_run_does_no_more_than_start_the_workflow_on_main() -> None:
    jobs: dict[str, Any] = LOADED["rollback"]["jobs"]
    assert {key: job["if"] for key, job in jobs.items()} == {
        "tagged": "github.event_name == 'push'",
        "rollback": "github.event_name == 'workflow_dispatch'",
    }
    assert jobs["tagged"]["permissions"] == {"contents": "read", "actions": "write"}
    assert set(LOADED["rollback"]["on"]["workflow_dispatch"]["inputs"]) == {"environment", "version", "why"}
    dry = ["make", "--dry-run", "rollback"]
    said = subprocess.run(dry, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert '${WHY:+--why "$WHY"}' in said  # who pushed the tag, for the run's own actor is a robot


def test_what_deploys_runs_only_where_something_is_named() -> None:
    assert LOADED["release"]["jobs"]["version"]["if"] == "vars.REGISTRY != ''"
    assert LOADED["ci"]["jobs"]["perf"]["if"] == "vars.REGISTRY != ''"
    for name in ("dev", "staging", "prod"):
        values = YAML(typ="safe").load((ROOT / f"environments/{name}/values.yaml").read_text())
        assert values["delivery"]["cluster"] == ""


def test_a_release_that_is_run_again_goes_on_where_it_stopped() -> None:
    """With images made already, and so without the job that makes them, it is handed over all the same."""
    jobs = LOADED["release"]["jobs"]
    assert set(jobs["version"]["outputs"]) == {"own", "unreleased", "version"}
    assert jobs["image"]["if"] == "needs.version.outputs.unreleased == 'true'"
    assert jobs["staging"]["if"] == "${{ !failure() && !cancelled() && needs.version.outputs.own == 'true' }}"
    record, deploy = [step for step in jobs["staging"]["steps"] if "run" in step]
    assert (record["run"], record["if"]) == ("make record", jobs["image"]["if"])
    assert (deploy["run"], "if" in deploy) == ("make deploy", False)


def test_who_may_open_a_pull_request_may_start_its_ci_too() -> None:
    """A forge starts nothing for what a workflow's own token opens; only a dispatch is an exception."""
    assert "workflow_dispatch" in LOADED["ci"]["on"]
    may = {key: job["permissions"].get("actions") for _, key, job in JOBS if "pull-requests" in job["permissions"]}
    assert may == dict.fromkeys(("propose", "verdict", "staging", "rollback"), "write")
