"""The scene of signatures: a key pair made by this run, a real registry, and deployments that trust one key alone."""

import hashlib
import os
import subprocess
from pathlib import Path

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
        }


def key(folder: Path) -> Path:
    """A new pair of keys, of this run alone."""
    folder.mkdir()
    words = [signature.executable(), "generate-key-pair"]
    run = {"cwd": folder, "check": True, "capture_output": True, "env": os.environ | {"COSIGN_PASSWORD": ""}}
    subprocess.run(words, **run)  # type: ignore[call-overload]  # noqa: S603
    return folder


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
