"""Real HTTP servers that answer what a test wrote down, and a helm that keeps what it was asked."""

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from release.cluster import Cluster, State, connect
from release.prometheus import Prometheus
from tests.release.team import Board, Team

NAMESPACE = "demo"
ROLLOUT = f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/rollouts/llm-engine"
GATEWAY = f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/rollouts/llm-gateway"
RUNS = f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/analysisruns"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
DIGEST = "sha256:" + "a" * 64


class Quiet(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no error, and must not write into what a test reads from stderr."""


class Scripted:
    """Answers of one path in the order in which they were given; the last one repeats."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], list[tuple[int, Any, dict[str, str]]]] = {}
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
                length = int(self.headers.get("content-length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                heard = {
                    "query": query,
                    "body": body,
                    "headers": {name.lower(): value for name, value in self.headers.items()},
                }
                outer.asked.append((self.command, path, heard))
                script = outer.answers.get((self.command, path)) or [(404, missing(path), {})]
                code, reply, headers = script.pop(0) if len(script) > 1 else script[0]
                data = json.dumps(reply).encode()
                self.send_response(code)
                for name, value in {"content-type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            do_GET = do_HEAD = do_PATCH = do_POST = do_PUT = answer  # noqa: N815  # names that http.server wants

            def log_message(self, *words: object) -> None:
                return None

        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{self.address}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def on(self, method: str, path: str, *replies: Any, code: int = 200, headers: dict[str, str] | None = None) -> None:
        self.answers.setdefault((method, path), []).extend((code, reply, headers or {}) for reply in replies)

    def paths(self, method: str) -> list[str]:
        return [path for asked, path, _ in self.asked if asked == method]

    def heard(self, method: str) -> list[dict[str, Any]]:
        return [heard for asked, _, heard in self.asked if asked == method]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def missing(path: str) -> dict[str, Any]:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404, "message": f"{path} not found"}


@pytest.fixture
def server() -> Iterator[Callable[[], Scripted]]:
    made: list[Scripted] = []

    def make() -> Scripted:
        made.append(Scripted())
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def api(server: Callable[[], Scripted], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """The API server that KUBECONFIG names."""
    made = server()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": made.url}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(path))
    made.on("GET", DEPLOYMENTS, {"items": []})
    return made


@pytest.fixture
def cluster(api: Scripted) -> Cluster:
    return connect(NAMESPACE, "llm")


@pytest.fixture
def registry(server: Callable[[], Scripted]) -> Scripted:
    """A registry that holds both images of the environment."""
    made = server()
    for name in ("gateway", "engine"):
        made.on("HEAD", f"/v2/sluice/{name}/manifests/{DIGEST}", {})
    return made


@pytest.fixture
def metrics(server: Callable[[], Scripted]) -> Scripted:
    return server()


@pytest.fixture
def prometheus(metrics: Scripted) -> Iterator[Prometheus]:
    with httpx2.Client(timeout=2) as client:
        yield Prometheus(metrics.url, client)


@pytest.fixture
def samples(metrics: Scripted) -> Callable[..., None]:
    """Let Prometheus answer with the figures of one gate per call."""
    result: list[dict[str, Any]] = []
    metrics.on("GET", "/api/v1/query", {"status": "success", "data": {"resultType": "vector", "result": result}})

    def add(name: str, value: float | str, **labels: str) -> None:
        full = {"__name__": name, "gate": "bad-share", "step": "5", "source": "user"} | labels
        result.append({"metric": full, "value": [1.0, str(value)]})

    return add


@pytest.fixture
def rollout() -> Callable[..., dict[str, Any]]:
    """A Rollout document; v1.1.0 is a canary at 5 %, at 0 % once it is aborted, unless the test says otherwise."""

    def make(version: str = "v1.1.0", revision: str = "2", observed: bool = True, **status: Any) -> dict[str, Any]:
        notes = {"sluice.dev/version": version, "rollout.argoproj.io/revision": revision}
        share = 0 if status.get("abort") else 5
        weights = {
            "canary": {"weight": share, "podTemplateHash": "new"},
            "stable": {"weight": 100 - share, "podTemplateHash": "old"},
        }
        return {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Rollout",
            "metadata": {"name": "llm-engine", "namespace": NAMESPACE, "generation": 7, "annotations": notes},
            "spec": {
                "template": {"spec": {"containers": [{"name": "engine", "image": f"engine@{DIGEST}"}]}},
                "strategy": {"canary": {"steps": [{}] * 10}},
            },
            "status": {
                "observedGeneration": "7" if observed else "6",
                "phase": "Progressing",
                "currentPodHash": "new",
                "stableRS": "old",
                "currentStepIndex": 4,
                "updatedReplicas": 1,
                "canary": {"weights": weights},
            }
            | status,
        }

    return make


@pytest.fixture
def healthy(rollout: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def make(**changes: Any) -> dict[str, Any]:
        return rollout(**({"phase": "Healthy", "stableRS": "new"} | changes))

    return make


@pytest.fixture
def failed_install(rollout: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """A Rollout as the controller leaves one whose first pods never became ready."""
    late = 'ReplicaSet "llm-engine-new" has timed out progressing.'
    conditions = [
        {"type": "Completed", "status": "True", "reason": "RolloutCompleted"},
        {"type": "Available", "status": "False", "reason": "AvailableReason"},
        {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": late},
    ]
    message = f"ProgressDeadlineExceeded: {late}"
    status = {"phase": "Degraded", "message": message, "stableRS": "new", "conditions": conditions, "canary": {}}

    def make(**changes: Any) -> dict[str, Any]:
        return rollout(**({"revision": "1"} | status | changes))

    return make


@pytest.fixture
def state(rollout: Callable[..., dict[str, Any]]) -> Callable[..., State]:
    return lambda **changes: State.of(rollout(**changes))


@pytest.fixture
def rollout_path() -> str:
    return ROLLOUT


@pytest.fixture
def gateway_path() -> str:
    return GATEWAY


@pytest.fixture
def gateway(rollout: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """The gateway's Rollout; one of two pods is new, and no router weighs them, unless the test says otherwise."""

    def make(**changes: Any) -> dict[str, Any]:
        found = rollout(**({"canary": {}, "currentStepIndex": 1} | changes))
        found["metadata"]["name"] = "llm-gateway"
        found["spec"]["replicas"] = 2
        return found

    return make


@pytest.fixture
def deployments_path() -> str:
    return DEPLOYMENTS


@pytest.fixture
def runs_path() -> str:
    return RUNS


@pytest.fixture
def gates(tmp_path: Path) -> Path:
    from rollouts.gates import PATH

    copy = tmp_path / "gates.yaml"
    copy.write_bytes(PATH.read_bytes())
    return copy


@pytest.fixture
def folder(tmp_path: Path, registry: Scripted, gates: Path) -> Path:
    """An environment that nothing is wrong with."""
    import hashlib

    found = tmp_path / NAMESPACE
    found.mkdir()
    (found / "values.yaml").write_text("engine: {replicas: 1}\n")
    release = {
        "version": "v1.1.0",
        "images": {name: f"{registry.address}/sluice/{name}@{DIGEST}" for name in ("gateway", "engine")},
        "model": {"id": "sluice/tiny", "revision": "r1", "sha256": "b" * 64},
        "gates": hashlib.sha256(gates.read_bytes()).hexdigest(),
    }
    (found / "release.yaml").write_text(json.dumps({"release": release}))
    return found


HELM = """#!{python}
import json, os, pathlib, sys
at, args = pathlib.Path({at!r}), sys.argv[1:]
with (at / "asked").open("a") as log:
    log.write(json.dumps(args) + "\\n")
if not sys.stdin.isatty() and "-" in args:
    (at / "values").write_text(sys.stdin.read())
word = " ".join(args[:2]) if args[0] in ("get", "show") else args[0]
file = at / word.replace(" ", "-")
if not file.exists():
    sys.exit("Error: release: not found")
text = file.read_text()
if text.startswith("Error"):
    sys.exit(text)
print(text)
"""


class Helm:
    """The folder of a scripted helm: one file per command holds what it prints, or `Error: …` to fail with."""

    def __init__(self, at: Path) -> None:
        self.at = at
        at.mkdir()
        program = at / "helm"
        program.write_text(HELM.format(python=sys.executable, at=str(at)))
        program.chmod(0o755)
        self.prints("version", "v3.22")
        self.prints("show-chart", "{apiVersion: v2, name: llm, version: 0.1.0}")
        self.prints("template", json.dumps(self.manifest("engine:new")))
        self.prints("upgrade", json.dumps(self.revision("engine:new")))

    def prints(self, command: str, text: str) -> None:
        (self.at / command).write_text(text)

    def deployed(self, image: str) -> None:
        self.prints("status", json.dumps(self.revision(image)))

    def manifest(self, image: str) -> dict[str, Any]:
        return {"kind": "Rollout", "metadata": {"name": "llm-engine"}, "spec": {"image": image}}

    def revision(self, image: str) -> dict[str, Any]:
        info = {"status": "deployed", "last_deployed": "2026-01-01T00:00:00Z", "description": "done"}
        return {
            "name": "llm",
            "namespace": NAMESPACE,
            "version": 3,
            "info": info,
            "manifest": json.dumps(self.manifest(image)),
        }

    def commands(self) -> list[list[str]]:
        log = self.at / "asked"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def asked(self, command: str) -> list[list[str]]:
        return [args for args in self.commands() if args[0] == command]


@pytest.fixture
def helm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Helm:
    made = Helm(tmp_path / "helm-bin")
    monkeypatch.setenv("PATH", str(made.at), prepend=os.pathsep)
    return made


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Team:
    monkeypatch.setenv("GITHUB_ACTOR", "ada")
    for name in ("GITHUB_REPOSITORY", "GITHUB_RUN_ID", "GITHUB_TOKEN", "SLUICE_FORGE"):
        monkeypatch.delenv(name, raising=False)
    return Team(tmp_path)


@pytest.fixture
def board() -> Board:
    return Board()
