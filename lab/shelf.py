"""A registry of its own on a loopback port, with one very small image in it: what is signed need not run."""

import hashlib
import json
import shutil
from pathlib import Path

import httpx2

from lab.server import Server

PORT = 5077
KIND = "application/vnd.oci.image.manifest.v1+json"
CONFIG = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]},"config":{}}'


class Shelf(Server):
    name, health, seconds = "registry", "/v2/", 20.0

    def __init__(self, folder: Path, port: int = PORT) -> None:
        super().__init__(folder, port)
        self.host = f"127.0.0.1:{port}"

    def prepare(self) -> None:
        super().prepare()
        (self.folder / "config.yaml").write_text(
            "version: 0.1\nlog: {level: warn, accesslog: {disabled: true}}\n"
            f"storage: {{filesystem: {{rootdirectory: {self.folder}/data}}}}\nhttp: {{addr: '{self.host}'}}\n"
        )

    def command(self) -> list[str]:
        return [shutil.which("docker-registry") or "docker-registry", "serve", str(self.folder / "config.yaml")]

    def image(self, name: str) -> str:
        """Push an image without layers, untagged; returns it by digest."""
        base = f"{self.address}/v2/{name}"
        config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(CONFIG)}
        manifest = {"schemaVersion": 2, "mediaType": KIND, "config": config | {"size": len(CONFIG)}, "layers": []}
        body = json.dumps(manifest).encode()
        with httpx2.Client(timeout=10) as client:
            place = client.post(f"{base}/blobs/uploads/").headers["location"]
            client.put(f"{place}&digest={digest(CONFIG)}", content=CONFIG).raise_for_status()
            put = client.put(f"{base}/manifests/{digest(body)}", content=body, headers={"Content-Type": KIND})
            put.raise_for_status()
        return f"{self.host}/{name}@{digest(body)}"

    def tags(self, name: str) -> list[str]:
        return list(httpx2.get(f"{self.address}/v2/{name}/tags/list").json().get("tags") or [])


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
