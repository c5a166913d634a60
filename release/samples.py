"""The golden prompts' answers of both arms side by side, for the person who approves the last step."""

import base64
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx2
from lightkube.config import client_adapter
from lightkube.resources.core_v1 import Secret

from quality.prompts import Golden, load
from release.cluster import Cluster, answers
from release.errors import Refused, Unreachable
from release.report import Sample

ARMS = ("stable", "canary")
AT_ONCE = 4  # a look must not be load
SECONDS = 60.0  # for one answer


@dataclass(frozen=True)
class Door:
    """A gateway and the key that lets one choose the arm."""

    client: httpx2.Client  # its base_url is the gateway's
    key: str
    model: str

    def ask(self, golden: Golden, arm: str) -> str:
        """One answer at temperature 0.

        Raises:
            Refused: there is no canary.
            Unreachable: there is no answer.
        """
        body = golden.body(self.model, stream=False) | {"temperature": 0}
        headers = {"x-sluice-probe": self.key, "x-sluice-arm": arm}
        try:
            reply = self.client.post(golden.path.lstrip("/"), json=body, headers=headers)
            document = reply.json()
        except (httpx2.HTTPError, ValueError) as error:
            said = " ".join(str(error).split()) or type(error).__name__
            raise Unreachable(f"gateway: no answer to {golden.id} ({said}); does it run? --gateway names it") from error
        if reply.status_code == 409:
            raise Refused("no release is in progress: there is no canary to ask")
        if reply.status_code != 200:
            wrong = (document.get("error") or {}).get("message") if isinstance(document, dict) else document
            raise Unreachable(f"gateway: {reply.status_code} to {golden.id} on {arm}: {str(wrong)[:200]}")
        return text_of(document)


def text_of(document: dict[str, Any]) -> str:
    choice = document["choices"][0]
    return str((choice["message"]["content"] if "message" in choice else choice["text"]) or "")


def question_of(golden: Golden) -> str:
    return golden.messages[-1]["content"] if golden.messages else golden.prompt


def taken(door: Door, count: int = 20) -> list[Sample]:
    """The first `count` golden prompts, each asked of both arms; in their order."""
    asked = [(golden, arm) for golden in load()[:count] for arm in ARMS]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        said = list(pool.map(lambda one: door.ask(*one), asked))
    pairs = zip(asked[::2], said[::2], said[1::2], strict=True)
    return [
        Sample(id=golden.id, question=question_of(golden), stable=old, canary=new) for (golden, _), old, new in pairs
    ]


def table(samples: list[Sample]) -> str:
    """Markdown for a pull request's comment or a job's summary; those that differ come first."""
    differing = sum(not one.same for one in samples)
    lines = [f"{differing} of {len(samples)} answers differ.", "", "| prompt | stable | canary |", "|---|---|---|"]
    for one in sorted(samples, key=lambda one: one.same):
        new = "the same" if one.same else cell(one.canary)
        lines.append(f"| {cell(one.question)} | {cell(one.stable)} | {new} |")
    return "\n".join(lines)


def cell(text: str) -> str:
    """A text that stays within its cell and is no markup of its own."""
    for mark in "\\`*_[]<>|":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())[:300] or "(empty)"


def through(cluster: Cluster, url: str, model: str) -> Door:
    """The way in: an address, or by default the API server's own proxy to the gateway's Service."""
    with answers():
        secret = cluster.client.get(Secret, f"{cluster.instance}-probe", namespace=cluster.namespace)
    key = base64.b64decode((secret.data or {})["key"]).decode()
    if url:
        return Door(httpx2.Client(base_url=url.rstrip("/") + "/", timeout=SECONDS), key, model)
    params = client_adapter.ConnectionParams(timeout=httpx2.Timeout(SECONDS))
    client = client_adapter.Client(cluster.client.config, params)
    service = f"{cluster.instance}-gateway:8080"
    client.base_url = client.base_url.join(f"api/v1/namespaces/{cluster.namespace}/services/{service}/proxy/")
    return Door(client, key, model)
