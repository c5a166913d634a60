import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lab import paths, seal
from lab.shelf import digest
from release import environment, signature
from release.signature import Trust

IMAGE = f"127.0.0.1:5077/sluice/engine@{digest(b'x')}"


class Office:
    """Keeps how it was asked, and the folder as it was then."""

    def __init__(self, code: int) -> None:
        self.code, self.asked, self.seen = code, [""], environment.ROOT

    def sluice(self, *words: str) -> tuple[int, str]:
        self.asked, self.seen = [*words], Path(words[1])
        return self.code, ""


def test_what_is_deployed_trusts_one_key_and_is_otherwise_in_order(tmp_path: Path) -> None:
    office: Any = Office(14)
    assert seal.trusted(office, IMAGE, tmp_path) == 14
    found = environment.load(office.seen)
    assert Trust.of(found.values["delivery"]) == Trust(f"{tmp_path}/cosign.pub")
    assert found.release.images.engine == IMAGE
    assert office.asked[0] == "deploy"
    assert seal.trusted(office, IMAGE, tmp_path) == 14  # a second time the folder is there


def said(monkeypatch: pytest.MonkeyPatch, parts: list[str], commit: str) -> None:
    """cosign finds these statements."""
    predicates: dict[str, Any] = {
        "cyclonedx": {"components": [{"name": name} for name in parts]},
        "slsaprovenance1": {"buildDefinition": {"resolvedDependencies": [{"digest": {"gitCommit": commit}}]}},
    }

    def cosign(*words: str) -> "subprocess.CompletedProcess[str]":
        kind = words[words.index("--type") + 1]
        payload = base64.b64encode(json.dumps({"predicate": predicates[kind]}).encode()).decode()
        code = 0 if words[words.index("--key") + 1] == "ours/cosign.pub" else 1
        return subprocess.CompletedProcess(words, code, json.dumps({"payload": payload}), "")

    monkeypatch.setattr(signature, "cosign", cosign)


@pytest.mark.parametrize(
    ("keys", "parts", "commit", "good"),
    [
        ("ours", ["fastapi"], "c1", True),
        ("theirs", ["fastapi"], "c1", False),
        ("ours", [], "c1", False),
        ("ours", ["fastapi"], "c2", False),
    ],
)
def test_an_image_is_described_when_our_key_says_of_what_and_from_which_commit(
    keys: str, parts: list[str], commit: str, good: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    said(monkeypatch, parts, commit)
    assert seal.described(IMAGE, Path(keys), "c1") is good


@pytest.mark.skipif(not (paths.BIN / "cosign").exists(), reason="make gitops builds cosign")
def test_every_run_makes_keys_of_its_own(tmp_path: Path) -> None:
    pairs = [seal.key(tmp_path / name) for name in ("ours", "theirs")]
    keys = {(pair / "cosign.pub").read_text() for pair in pairs}
    assert len(keys) == 2
    assert all((pair / "cosign.key").stat().st_size > 0 for pair in pairs)
