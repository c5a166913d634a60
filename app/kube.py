"""The Kubernetes API over HTTP: list, then watch, for ever; what was last known is kept while it is away."""

import asyncio
import base64
import json
import os
import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import structlog
import yaml

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
WATCH_SECONDS = 30  # a connection that died in silence is noticed after one of them
BACK_OFF_SECONDS = 0.5
LINE_BYTES = 2**24  # an object's event is one line
Object = dict[str, Any]
log = structlog.get_logger()


@dataclass(frozen=True)
class Access:
    """Where the API is and how to get in; the token is read anew for each connection, for it is rotated."""

    server: str
    token_file: Path | None = None
    token: str = ""
    ca: Path | None = None
    ca_data: str = ""
    certificate: tuple[Path, Path] | None = None  # of the client, with its key

    @classmethod
    def found(cls) -> "Access":
        """KUBECONFIG's current context, else the pod's service account."""
        if path := os.environ.get("KUBECONFIG"):
            return from_kubeconfig(Path(path))
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        return cls(f"https://{host}:{port}", SERVICE_ACCOUNT / "token", ca=SERVICE_ACCOUNT / "ca.crt")

    @property
    def headers(self) -> dict[str, str]:
        token = self.token_file.read_text().strip() if self.token_file else self.token
        return {"authorization": f"Bearer {token}"} if token else {}

    @property
    def tls(self) -> ssl.SSLContext | bool:
        if not (self.ca or self.ca_data or self.certificate):
            return True
        context = ssl.create_default_context(cafile=self.ca, cadata=self.ca_data or None)
        if self.certificate:
            context.load_cert_chain(*self.certificate)
        return context


def from_kubeconfig(path: Path) -> Access:
    document = yaml.safe_load(path.read_text())
    context = named(document["contexts"], document["current-context"])["context"]
    cluster = named(document["clusters"], context["cluster"])["cluster"]
    user = named(document["users"], context["user"])["user"]
    authority = cluster.get("certificate-authority")
    return Access(
        cluster["server"],
        token=user.get("token", ""),
        ca=path.parent / authority if authority else None,
        ca_data=base64.b64decode(cluster.get("certificate-authority-data", "")).decode(),
        certificate=certificate(user, path.parent),
    )


def certificate(user: Object, folder: Path) -> tuple[Path, Path] | None:
    """The client's certificate and key; embedded ones go to private files, for `ssl` reads nothing else."""
    if "client-certificate" in user:
        return folder / user["client-certificate"], folder / user["client-key"]
    if "client-certificate-data" not in user:
        return None
    private = Path(tempfile.mkdtemp(prefix="sluice-"))
    pair = private / "certificate", private / "key"
    for file, name in zip(pair, ("client-certificate-data", "client-key-data"), strict=True):
        file.touch(mode=0o600)
        file.write_bytes(base64.b64decode(user[name]))
    return pair


def named(entries: list[Object], name: str) -> Object:
    return next(entry for entry in entries if entry["name"] == name)


class Watch:
    """Follows the objects of one kind in one namespace; `changed` gets all of them, by name, after each change."""

    def __init__(
        self, access: Access, path: str, selector: dict[str, str], changed: Callable[[dict[str, Object]], None]
    ) -> None:
        self.access, self.path, self.selector, self.changed = access, path, selector, changed
        self.objects: dict[str, Object] = {}

    async def run(self) -> None:
        """Until cancelled."""
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self.access.tls), read_bufsize=LINE_BYTES
        ) as session:
            while True:
                try:
                    await self.follow(session)
                except Exception as error:  # whatever it is, a watch that ends would freeze the arms for ever
                    log.warning("cluster_away", path=self.path, error=f"{type(error).__name__}: {error}"[:200])
                await asyncio.sleep(BACK_OFF_SECONDS)

    async def follow(self, session: aiohttp.ClientSession) -> None:
        """List everything, then apply changes until the watch ends."""
        async with self.get(session, {}) as reply:
            found = json.loads(await reply.read())
        self.objects = {one["metadata"]["name"]: one for one in found["items"]}
        self.changed(self.objects)
        version = found["metadata"]["resourceVersion"]
        async with self.get(session, {"watch": "1", "resourceVersion": version}) as reply:
            async for line in reply.content:
                if not self.apply(json.loads(line)):
                    return

    def get(self, session: aiohttp.ClientSession, more: dict[str, str]) -> Any:
        timeout = aiohttp.ClientTimeout(total=WATCH_SECONDS + 30, connect=5, sock_read=None if more else 10)
        query = {**self.selector, **more, **({"timeoutSeconds": str(WATCH_SECONDS)} if more else {})}
        return session.get(
            self.access.server + self.path,
            params=query,
            headers=self.access.headers,
            timeout=timeout,
            raise_for_status=True,
        )

    def apply(self, event: Object) -> bool:
        """Whether the watch can go on: an error event (a version too old) needs a new list."""
        kind, found = event["type"], event["object"]
        if kind == "ERROR":
            return False
        if kind == "DELETED":
            self.objects.pop(found["metadata"]["name"], None)
        elif kind in ("ADDED", "MODIFIED"):
            self.objects[found["metadata"]["name"]] = found
        self.changed(self.objects)
        return True
