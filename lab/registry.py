"""The lab's registry, spoken to without a daemon: asking for a tag, and pushing an image that is one file."""

import hashlib
import io
import json
import tarfile
import urllib.error
import urllib.request
from collections.abc import Mapping

from lab import paths
from lab.errors import NotReady

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
KINDS = f"{MANIFEST}, application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def ask(
    method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Mapping[str, str]:
    """One request; returns the reply's headers.

    Raises:
        NotReady: the registry is not there, or it refuses.
    """
    url = path if path.startswith("http://") else f"http://{paths.REGISTRY}/v2/{path}"
    request = urllib.request.Request(url, body, dict(headers or {}), method=method)  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310
            return {name.lower(): value for name, value in reply.headers.items()}
    except urllib.error.HTTPError as error:
        raise NotReady(f"the registry answers {error.code} to {method} {path}: see its log in {paths.LOGS}") from error
    except OSError as error:
        raise NotReady(f"no registry answers at {paths.REGISTRY}: start the lab with `make lab`") from error


def digest_of(repository: str, tag: str) -> str | None:
    """The digest behind a tag, or None when the registry has no such tag."""
    try:
        return ask("HEAD", f"{repository}/manifests/{tag}", headers={"Accept": KINDS})["docker-content-digest"]
    except NotReady as error:
        if isinstance(error.__cause__, urllib.error.HTTPError) and error.__cause__.code == 404:
            return None
        raise


def push(repository: str, tag: str, name: str, program: bytes) -> str:
    """Push an image that holds nothing but one static program, and runs it; returns the manifest's digest."""
    layer = tar_of(name, program)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": [f"/{name}"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
    }
    parts = [blob(repository, CONFIG, json.dumps(config).encode()), blob(repository, LAYER, layer)]
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": parts[0], "layers": parts[1:]}
    body = json.dumps(manifest).encode()
    ask("PUT", f"{repository}/manifests/{tag}", body, {"Content-Type": MANIFEST})
    return digest(body)


def blob(repository: str, kind: str, content: bytes) -> dict[str, object]:
    """Upload it in one piece; returns its descriptor."""
    where = ask("POST", f"{repository}/blobs/uploads/", b"")["location"]
    joined = f"{where}{'&' if '?' in where else '?'}digest={digest(content)}"
    ask("PUT", joined, content, {"Content-Type": "application/octet-stream"})
    return {"mediaType": kind, "digest": digest(content), "size": len(content)}


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def tar_of(name: str, program: bytes) -> bytes:
    """A tar that is the same bytes every time: no times, no names of people."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(program), 0o755
        tar.addfile(info, io.BytesIO(program))
    return file.getvalue()
