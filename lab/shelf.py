"""A registry of its own on a loopback port, with one very small image in it: what is signed need not run."""

import hashlib
import json
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType

import httpx2

from lab.errors import NotReady

PORT = 5077
KIND = "application/vnd.oci.image.manifest.v1+json"
CONFIG = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]},"config":{}}'


class Shelf:
    """A context; can be taken away and brought back in between."""

    def __init__(self, folder: Path, port: int = PORT) -> None:
        self.folder, self.port, self.address = folder, port, f"127.0.0.1:{port}"
        self.child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Shelf":
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "config.yaml").write_text(
            "version: 0.1\nlog: {level: warn, accesslog: {disabled: true}}\n"
            f"storage: {{filesystem: {{rootdirectory: {self.folder}/data}}}}\nhttp: {{addr: '{self.address}'}}\n"
        )
        self.up()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.down()

    def up(self) -> None:
        """Start it and wait until it answers; raises NotReady."""
        program = shutil.which("docker-registry") or "docker-registry"
        with (self.folder / "registry.log").open("ab") as log:
            words = [program, "serve", str(self.folder / "config.yaml")]
            self.child = subprocess.Popen(words, stdout=log, stderr=log)  # noqa: S603 - the lab's own
        until = time.monotonic() + 20
        while time.monotonic() < until and self.child.poll() is None:
            try:
                if httpx2.get(f"http://{self.address}/v2/", timeout=2).status_code == 200:
                    return
            except httpx2.HTTPError:
                time.sleep(0.1)
        raise NotReady(f"the registry does not answer: see {self.folder / 'registry.log'}")

    def down(self) -> None:
        if self.child is not None:
            self.child.terminate()
            self.child.wait(timeout=20)
            self.child = None

    def image(self, name: str) -> str:
        """Push an image without layers, untagged; returns it by digest."""
        base = f"http://{self.address}/v2/{name}"
        config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(CONFIG)}
        manifest = {"schemaVersion": 2, "mediaType": KIND, "config": config | {"size": len(CONFIG)}, "layers": []}
        body = json.dumps(manifest).encode()
        with httpx2.Client(timeout=10) as client:
            place = client.post(f"{base}/blobs/uploads/").headers["location"]
            client.put(f"{place}&digest={digest(CONFIG)}", content=CONFIG).raise_for_status()
            put = client.put(f"{base}/manifests/{digest(body)}", content=body, headers={"Content-Type": KIND})
            put.raise_for_status()
        return f"{self.address}/{name}@{digest(body)}"

    def tags(self, name: str) -> list[str]:
        return list(httpx2.get(f"http://{self.address}/v2/{name}/tags/list").json().get("tags") or [])


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
