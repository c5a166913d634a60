"""Signatures, by cosign: who made an image, of what, from which commit; refused when that is not who we trust."""

import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from release import outputs
from release.errors import Refused, Unsigned

SECONDS = 120


@dataclass(frozen=True)
class Trust:
    """Whose signatures count: a public key's, or those of a workflow's identity (an OIDC issuer and a subject)."""

    key: str = ""
    identity: str = ""
    issuer: str = ""

    @classmethod
    def of(cls, delivery: dict[str, Any]) -> "Trust | None":
        """What `delivery.signedBy` of values.yaml says; None when it says nothing."""
        said = delivery.get("signedBy") or {}
        return cls(said.get("key", ""), said.get("identity", ""), said.get("issuer", "")) if said else None

    @property
    def words(self) -> list[str]:
        if self.key:
            return ["--key", self.key, "--insecure-ignore-tlog=true"]
        return ["--certificate-identity-regexp", self.identity, "--certificate-oidc-issuer", self.issuer]


def executable() -> str:
    cached = Path(os.environ.get("SLUICE_CACHE", "/var/cache/sluice")) / "bin" / "cosign"
    found = shutil.which("cosign") or (str(cached) if cached.is_file() else None)
    if found is None:
        raise Refused(f"cosign: not on PATH nor at {cached}; run `.venv/bin/python -m lab tools cosign`")
    return found


def cosign(*words: str) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(  # noqa: S603 - a program that executable() has found
            [executable(), *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
            stdin=subprocess.DEVNULL,
            env={"COSIGN_PASSWORD": ""} | os.environ,
        )
    except subprocess.TimeoutExpired as error:
        raise Unsigned(f"cosign {words[0]}: no answer within {SECONDS} s; does the registry answer?") from error


def require(trust: Trust, *images: str) -> None:
    """Raise Unsigned unless each image (by digest) carries a signature that we trust."""
    if cosign("verify", *trust.words, *images).returncode == 0:
        return
    for image in images:  # cosign does not say of which it speaks
        done = cosign("verify", *trust.words, image)
        if done.returncode:
            raise Unsigned(f"{image}: {reason(done)}; release it again, or correct delivery.signedBy")


def sign(image: str, key: str = "") -> None:
    """Sign a digest with a key file, else with the workflow's own identity. Raises Unsigned when that fails."""
    done = cosign("sign", "--yes", *mode(key), image)
    if done.returncode:
        raise Unsigned(f"{image}: cannot be signed: {reason(done)}")


def attest(image: str, kind: str, predicate: dict[str, Any], key: str = "") -> None:
    """Attach a signed statement (`cyclonedx`, `slsaprovenance1`) to a digest. Raises Unsigned when that fails."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(predicate, file)
        file.flush()
        done = cosign("attest", "--yes", *mode(key), "--type", kind, "--predicate", file.name, image)
    if done.returncode:
        raise Unsigned(f"{image}: {kind} cannot be attached: {reason(done)}")


def mode(key: str) -> list[str]:
    """A key of our own leaves no trace in a public log; the keyless way is made of that trace."""
    return ["--key", key, "--tlog-upload=false", "--use-signing-config=false"] if key else []


def reason(done: "subprocess.CompletedProcess[str]") -> str:
    lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    told = [line for line in lines if line.lower().startswith("error")] or lines
    return (told[-1] if told else f"cosign ended with {done.returncode}")[:250]


def provenance(commit: str) -> dict[str, Any]:
    """SLSA v1: from which commit, by which workflow run."""
    server, repository = os.environ.get("GITHUB_SERVER_URL", ""), os.environ.get("GITHUB_REPOSITORY", "")
    source = {"uri": f"git+{server}/{repository}", "digest": {"gitCommit": commit}}
    workflow = {"repository": f"{server}/{repository}", "ref": os.environ.get("GITHUB_REF", "")}
    return {
        "buildDefinition": {
            "buildType": "https://sluice.dev/image/v1",
            "externalParameters": {"workflow": workflow},
            "resolvedDependencies": [source],
        },
        "runDetails": {"builder": {"id": f"{server}/{repository}"}, "metadata": {"invocationId": outputs.page()}},
    }


def materials(root: Path) -> dict[str, Any]:
    """The SBOM (CycloneDX 1.5) of what uv.lock pins; what the base image brings is the base image's own to say."""
    uv = shutil.which("uv") or str(Path(os.environ.get("SLUICE_CACHE", "/var/cache/sluice")) / "uv/bin/uv")
    words = ["export", "--frozen", "--quiet", "--format", "cyclonedx1.5", "--all-extras", "--no-dev"]
    done = subprocess.run([uv, *words], cwd=root, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise Refused(f"uv export: {' '.join(done.stderr.split())[-200:]}")
    return dict(json.loads(done.stdout))
