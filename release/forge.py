"""A forge: pull requests, reviews, statuses and releases, on GitHub or on Gitea behind one interface."""

import os
import time
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import httpx2

from release.errors import ForgeAway, Refused

Mark = Literal["pending", "success", "failure", "error"]
SECONDS = 20.0


@dataclass(frozen=True)
class PullRequest:
    number: int
    url: str
    title: str
    body: str
    head: str  # branch
    base: str
    sha: str  # newest commit of `head`
    merged: bool
    state: str  # open or closed


class Forge(Protocol):
    def open(self, head: str, base: str, title: str, body: str) -> PullRequest:
        """The open pull request between two branches, made when there is none."""
        ...

    def pull(self, number: int) -> PullRequest: ...

    def opened(self, base: str) -> list[PullRequest]: ...

    def approvers(self, number: int) -> list[str]:
        """Whose last word on the newest commit is yes; empty when anybody asks for changes."""
        ...

    def approve(self, number: int, text: str) -> None: ...

    def merge(self, number: int) -> None: ...

    def mark(self, sha: str, context: str, state: Mark, text: str, url: str = "") -> None:
        """Set a commit's status."""
        ...

    def marks(self, sha: str) -> dict[str, str]:
        """The newest state of each context of a commit."""
        ...

    def publish(self, tag: str, text: str) -> None:
        """The release page of a tag; nothing happens when it is there."""
        ...

    def start(self, workflow: str, ref: str, inputs: dict[str, str]) -> None:
        """Start a workflow: what a workflow's own token pushes starts none."""
        ...


class GitHub:
    """GitHub's REST interface, version 2022-11-28, of one repository; `url` ends in /repos/owner/name."""

    merging: tuple[str, dict[str, str]] = ("PUT", {"merge_method": "squash"})
    approval = "APPROVE"
    state_of_a_status = "state"

    def __init__(self, url: str, token: str, client: httpx2.Client | None = None) -> None:
        self.url, self.client = url, client or httpx2.Client(timeout=SECONDS)
        self.headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        if token:
            self.headers["Authorization"] = f"{self.scheme} {token}"

    scheme = "Bearer"

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None, missing: Any = None) -> Any:
        """The answer's JSON; `missing`, when given, stands for a 404. Raises ForgeAway or Refused in one line."""
        try:
            reply = self.client.request(method, f"{self.url}{path}", json=body, headers=self.headers)
        except httpx2.HTTPError as error:
            raise ForgeAway(f"{self.url}: no answer ({error or type(error).__name__}); run this again") from error
        if reply.status_code == 404 and missing is not None:
            return missing
        if reply.status_code >= 500 or reply.status_code == 429:
            raise ForgeAway(f"{method} {path}: the forge answers {reply.status_code}; run the same command again")
        if reply.status_code >= 400:
            raise Refused(f"{method} {path}: the forge answers {reply.status_code}: {words(reply)}; check the token")
        return reply.json() if reply.content else None

    def every(self, path: str, limit: int = 50) -> list[dict[str, Any]]:
        """All pages of a list; both forges take `page`, and each its own word for the size."""
        found: list[dict[str, Any]] = []
        join = "&" if "?" in path else "?"
        for page in range(1, 41):
            part = self.ask("GET", f"{path}{join}per_page={limit}&limit={limit}&page={page}")
            found += part
            if len(part) < limit:
                break
        return found

    def open(self, head: str, base: str, title: str, body: str) -> PullRequest:
        for one in self.opened(base):
            if one.head == head:
                return one
        asked = {"head": head, "base": base, "title": title, "body": body}
        return pull_of(self.ask("POST", "/pulls", asked))

    def pull(self, number: int) -> PullRequest:
        return pull_of(self.ask("GET", f"/pulls/{number}"))

    def opened(self, base: str) -> list[PullRequest]:
        found = [pull_of(one) for one in self.every("/pulls?state=open")]
        return [one for one in found if one.base == base]

    def approvers(self, number: int) -> list[str]:
        sha, said = self.pull(number).sha, {}
        for one in self.every(f"/pulls/{number}/reviews"):
            state = "CHANGES_REQUESTED" if one["state"] == "REQUEST_CHANGES" else one["state"]
            if state in ("APPROVED", "CHANGES_REQUESTED", "DISMISSED"):
                said[one["user"]["login"]] = state if one.get("commit_id") in (None, "", sha) else "OUTDATED"
        if "CHANGES_REQUESTED" in said.values():
            return []
        return sorted(who for who, state in said.items() if state == "APPROVED")

    def approve(self, number: int, text: str) -> None:
        self.ask("POST", f"/pulls/{number}/reviews", {"event": self.approval, "body": text})

    def merge(self, number: int) -> None:
        method, how = self.merging
        self.ask(method, f"/pulls/{number}/merge", how)

    def mark(self, sha: str, context: str, state: Mark, text: str, url: str = "") -> None:
        asked = {"state": state, "context": context, "description": text[:140]}  # GitHub's limit
        self.ask("POST", f"/statuses/{sha}", asked | ({"target_url": url} if url else {}))

    def marks(self, sha: str) -> dict[str, str]:
        found = self.ask("GET", f"/commits/{sha}/status")["statuses"] or []
        return {one["context"]: one[self.state_of_a_status] for one in found}

    def publish(self, tag: str, text: str) -> None:
        if not self.ask("GET", f"/releases/tags/{tag}", missing={}):
            self.ask("POST", "/releases", {"tag_name": tag, "name": tag, "body": text})

    def start(self, workflow: str, ref: str, inputs: dict[str, str]) -> None:
        self.ask("POST", f"/actions/workflows/{workflow}/dispatches", {"ref": ref, "inputs": inputs})


class Gitea(GitHub):
    """Gitea's interface, where it is not GitHub's: merge is a POST, approve has another name, a status another key."""

    merging = ("POST", {"Do": "squash"})
    approval = "APPROVED"
    state_of_a_status = "status"
    scheme = "token"

    def merge(self, number: int) -> None:
        """It looks for conflicts after it has answered, and refuses to merge until it has."""
        for _ in range(20):
            try:
                return super().merge(number)
            except Refused as error:
                if "try again later" not in str(error):
                    raise
            time.sleep(0.5)
        return super().merge(number)

    def publish(self, tag: str, text: str) -> None:
        """A pushed tag gets a row in its database a moment later; a release that meets that row's writing is a 500."""
        try:
            super().publish(tag, text)
        except ForgeAway:
            super().publish(tag, text)


def pull_of(found: dict[str, Any]) -> PullRequest:
    head, base = found["head"], found["base"]
    return PullRequest(
        found["number"],
        found["html_url"],
        found["title"],
        found.get("body") or "",
        head["ref"],
        base["ref"],
        head["sha"],
        bool(found.get("merged") or found.get("merged_at")),
        found["state"],
    )


def words(reply: httpx2.Response) -> str:
    """What a forge says is wrong, in one line."""
    try:
        said = reply.json()
    except ValueError:
        return "no reason given"
    told = [str(said.get("message", ""))] + [str(one) for one in said.get("errors") or []]
    return " ".join(" ".join(told).split())[:200]


def connect() -> Forge | None:
    """The forge that the environment names, as a workflow's does; None when it names no repository.

    SLUICE_FORGE is the address of the repository in its interface, like https://host/api/v1/repos/me/llm for a Gitea;
    by default what GitHub tells every job.
    """
    api, repository = os.environ.get("GITHUB_API_URL", "https://api.github.com"), os.environ.get("GITHUB_REPOSITORY")
    address = os.environ.get("SLUICE_FORGE") or (f"{api.rstrip('/')}/repos/{repository}" if repository else "")
    if not address:
        return None
    kind = Gitea if "/api/v1/repos/" in address else GitHub
    return kind(address, os.environ.get("GITHUB_TOKEN", ""))
