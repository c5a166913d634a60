"""Write an environment's release.yaml where everybody sees it: on the released branch, or in a pull request to it."""

import hashlib
import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml.representer import SafeRepresenter

from release.environment import Release, checked, parsed
from release.errors import Locked, Refused, ReleaseError
from release.forge import Forge
from release.history import Files, History

HEAD = "# All that makes this release, written by `sluice`; values.yaml holds what differs between environments.\n"
PROOF = "ci.yml"
Way = Literal["direct", "pullRequest"]


class Readable(SafeRepresenter):
    """Writes a text of several lines as such, so that a reviewer sees which of them changed."""

    def represent_str(self, data: str) -> Any:
        return self.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)


Readable.add_representer(str, Readable.represent_str)


@dataclass(frozen=True)
class Written:
    """Where a change is: the commit that carries it, and the pull request's address unless it was written directly."""

    commit: str
    link: str
    changed: bool
    note: str = ""  # what else there is to do


def path_of(environment: str) -> str:
    return f"environments/{environment}/release.yaml"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def release_at(history: History, commit: str, environment: str) -> tuple[str, Release] | None:
    """The text and the checked content of release.yaml in a commit, None when it is not there."""
    path = path_of(environment)
    text = history.text(commit, path)
    return (text, checked(parsed(text, path), path)) if text is not None else None


def way_of(history: History, environment: str) -> Way:
    """How this environment wants to be written: `delivery.writes` of its values.yaml, a pull request unless it says so.

    Raises:
        Refused: the released branch has no such environment.
    """
    path = f"environments/{environment}/values.yaml"
    text = history.text(history.main, path)
    if text is None:
        raise Refused(f"{path}: not on {history.branch}; add the environment there first")
    return "direct" if (parsed(text, path).get("delivery") or {}).get("writes") == "direct" else "pullRequest"


def document(release: dict[str, Any]) -> str:
    """release.yaml's text, the same for the same release."""
    yaml, text = YAML(typ="safe", pure=True), io.StringIO()
    yaml.Representer = Readable
    yaml.default_flow_style, yaml.width = False, 4096
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # annotated as if it could only be unset
    yaml.dump({"release": release}, text)
    return HEAD + text.getvalue()


def write(
    history: History, forge: Forge | None, environment: str, text: str, title: str, body: str, branch: str, way: Way
) -> Written:
    """Make `text` the environment's release.yaml; run again, it finds what it has made and changes nothing.

    Raises:
        Refused: a pull request is wanted and there is no forge.
    """
    path, before = path_of(environment), history.text(history.main, path_of(environment))
    if before == text:
        return Written(history.sha(history.main), "", False)
    message = f"{title}\n\n{body}\n" if body else f"{title}\n"
    if way == "direct":

        def changed(tip: str) -> tuple[Files, str]:
            return ({}, "") if history.text(tip, path) == text else ({path: text}, message)

        return Written(history.amend(history.branch, changed), "", True)
    if forge is None:
        raise Refused(f"{environment}: is written by pull requests; set GITHUB_REPOSITORY and GITHUB_TOKEN")
    made = history.remote_tip(f"refs/heads/{branch}")
    if history.text(made, path) != text or history.text(history.fork(made, history.main), path) != before:
        fresh = history.commit(history.sha(history.main), {path: text}, message)
        if not history.push(fresh, f"refs/heads/{branch}", made):
            raise Refused(f"{branch}: somebody else writes this branch now; run the same command again")
        made = fresh
    link = forge.open(branch, history.branch, title, body).url
    return Written(made, link, True, proved(forge, branch))


def restore(
    history: History,
    asked: Callable[[], Forge | None],
    environment: str,
    text: str,
    title: str,
    body: str,
    branch: str,
    more: str = "",
) -> Written:
    """Write what takes a release back directly; where the branch is closed, by a pull request, whose text says `more`.

    Raises:
        Locked: the branch is closed, and there is no forge to ask.
    """
    try:
        return write(history, None, environment, text, title, body, "", "direct")
    except Locked as closed:
        there = asked()
        if there is None:
            raise Locked(f"{closed}; with GITHUB_REPOSITORY and GITHUB_TOKEN set a pull request is opened") from closed
        told = "\n\n".join(filter(None, (body, more)))
        return write(history, there, environment, text, title, told, branch, "pullRequest")


def proved(forge: Forge, branch: str) -> str:
    """Start ci on a pull request's branch, for one that a workflow's own token opens starts none.

    Returns what there is to do by hand where it did not start: the pull request is there all the same.
    """
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return ""
    try:
        forge.start(PROOF, branch, {})
    except ReleaseError as error:
        return f"{PROOF} was not started on {branch} ({error}); start it there by hand"
    return ""
