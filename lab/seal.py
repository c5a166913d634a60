"""The scene of signatures: a key pair made by this run, a real registry, and deployments that trust one key alone."""

import base64
import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from lab import paths
from lab.office import Office
from lab.shelf import Shelf
from release import signature
from release.write import document


def signed(office: Office) -> dict[str, bool]:
    """Only images that our key has signed are deployed; the version's tag comes with the signature, and not before."""
    with Shelf(office.folder / "shelf") as shelf:
        image, keys = shelf.image("sluice/engine"), [key(office.folder / name) for name in ("ours", "theirs")]
        unsigned, early = trusted(office, image, keys[0]), shelf.tags("sluice/engine")
        words = ("sign", "--version", "v0.1.0", image, "--key", f"{keys[0]}/cosign.key")
        shelf.down()
        away, said = office.sluice(*words)
        shelf.up()
        done = office.sluice(*words)[0]
        return {
            "unsigned refused": unsigned == 14,
            "registry away": away != 0 and "Traceback" not in said,
            "no tag before": not early,
            "signed and tagged": done == 0 and "v0.1.0" in shelf.tags("sluice/engine"),
            "ours is let through": trusted(office, image, keys[0]) == 6,  # and then there is no cluster
            "theirs is refused": trusted(office, image, keys[1]) == 14,
            "SBOM and provenance are there": described(image, keys[0], office.desk.sha("HEAD")),
            "they are signed by our key": stated(image, keys[1]) == {},
        }


def key(folder: Path) -> Path:
    """A new pair of keys, of this run alone."""
    folder.mkdir()
    words = [signature.executable(), "generate-key-pair"]
    run = {"cwd": folder, "check": True, "capture_output": True, "env": os.environ | {"COSIGN_PASSWORD": ""}}
    subprocess.run(words, **run)  # type: ignore[call-overload]  # noqa: S603
    return folder


def stated(image: str, keys: Path) -> dict[str, Any]:
    """What the registry holds as statements about an image, signed by the key in this folder; by kind."""
    found, trust = {}, signature.Trust(f"{keys}/cosign.pub")
    for kind in ("cyclonedx", "slsaprovenance1"):
        done = signature.cosign("verify-attestation", *trust.words, "--type", kind, image)
        if done.returncode == 0:
            envelope = json.loads(done.stdout.splitlines()[-1])
            found[kind] = json.loads(base64.b64decode(envelope["payload"]))["predicate"]
    return found


def described(image: str, keys: Path, commit: str) -> bool:
    """Whether it is said, and signed by that key, what an image is made of, and that it was made of this commit."""
    said = stated(image, keys)
    parts = (said.get("cyclonedx") or {}).get("components") or []
    made = (said.get("slsaprovenance1") or {}).get("buildDefinition") or {}
    sources = [one.get("digest", {}).get("gitCommit") for one in made.get("resolvedDependencies") or []]
    return any(one.get("name") == "fastapi" for one in parts) and sources == [commit]


def trusted(office: Office, image: str, keys: Path) -> int:
    """How a deployment of this image ends where only the key in this folder is trusted, and no cluster answers."""
    folder = keys / "prod"
    folder.mkdir(exist_ok=True)
    (folder / "values.yaml").write_text(f"delivery: {{signedBy: {{key: {keys}/cosign.pub}}}}\n")
    gates = hashlib.sha256((paths.ROOT / "rollouts/gates.yaml").read_bytes()).hexdigest()
    model = {"id": "m", "revision": "r", "sha256": "0" * 64}
    content = {"version": "v0.1.0", "images": {"gateway": image, "engine": image}, "model": model, "gates": gates}
    (folder / "release.yaml").write_text(document(content))
    return office.sluice("deploy", str(folder), "--no-watch")[0]
