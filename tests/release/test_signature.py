import json
import os
import re
from pathlib import Path

import pytest

from release import signature
from release.environment import ROOT, parsed
from release.errors import Refused, Unsigned
from release.signature import Trust, provenance, require, sign

IMAGE = "127.0.0.1:5000/e@sha256:" + "a" * 64
COSIGN = """#!/bin/sh
echo "$*" >> "$0.asked"
[ "$1" = sign ] && exit 0
echo "warning: something" >&2
echo "Error: no signatures found" >&2
exit 10
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a stand-in for cosign was asked; the real one signs and verifies in `make gitops`."""
    (tmp_path / "cosign").write_text(COSIGN)
    (tmp_path / "cosign").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path / "cosign.asked"


def test_an_image_that_nobody_signed_is_refused_in_one_line(asked: Path) -> None:
    with pytest.raises(Unsigned, match=r"no signatures found; release it again") as error:
        require(Trust(key="our.pub"), IMAGE)
    assert "\n" not in str(error.value)
    assert asked.read_text() == f"verify --key our.pub --insecure-ignore-tlog=true {IMAGE}\n" * 2


def test_of_several_images_the_one_that_nobody_signed_is_named(asked: Path) -> None:
    program = asked.with_suffix("")
    program.write_text(COSIGN.replace('[ "$1" = sign ]', f'[ "$#" = 5 ] && [ "$5" = {IMAGE} ]'))
    other = IMAGE.replace("/e@", "/g@")
    with pytest.raises(Unsigned, match="/g@"):
        require(Trust(key="our.pub"), IMAGE, other)
    assert [line.split()[4:] for line in asked.read_text().splitlines()] == [[IMAGE, other], [IMAGE], [other]]


def test_without_a_key_the_runs_identity_signs_and_is_what_is_verified(asked: Path) -> None:
    sign(IMAGE)
    sign(IMAGE, "our.key")
    with pytest.raises(Unsigned):
        require(Trust(identity="^https://forge/me/.*$", issuer="https://issuer"), IMAGE)
    keyless, keyed, verified, _ = asked.read_text().splitlines()
    assert keyless == f"sign --yes {IMAGE}"
    assert "--key our.key" in keyed
    assert "--certificate-identity-regexp ^https://forge/me/.*$ --certificate-oidc-issuer https://issuer" in verified


def test_an_environment_that_names_nobody_trusts_nobody_in_particular() -> None:
    assert Trust.of({}) is None
    assert Trust.of({"signedBy": {"key": "k"}}) == Trust(key="k")


@pytest.mark.parametrize("name", ["staging", "prod"])
def test_an_environment_says_in_a_comment_how_to_trust_ones_own_release_workflow_alone(name: str) -> None:
    values = (ROOT / f"environments/{name}/values.yaml").read_text()
    trust = Trust.of(parsed(re.sub(r"^  # (signedBy|  )", r"  \1", values, flags=re.M), name)["delivery"])
    assert trust is not None
    assert (trust.key, trust.issuer) == ("", "https://token.actions.githubusercontent.com")
    ours = "https://github.com/OWNER/REPOSITORY/.github/workflows/release.yml@refs/heads/main"
    assert re.search(trust.identity, ours)
    for other in (ours.replace("OWNER", "other"), ours.replace("release", "ci"), f"{ours}2", f"x{ours}"):
        assert not re.search(trust.identity, other)
    assert (ROOT / ".github/workflows/release.yml").is_file()


def test_without_cosign_it_says_where_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SLUICE_CACHE", str(tmp_path))
    with pytest.raises(Refused, match="lab tools cosign"):
        signature.executable()


def test_provenance_names_commit_and_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://forge")
    monkeypatch.setenv("GITHUB_REPOSITORY", "me/llm")
    monkeypatch.setenv("GITHUB_RUN_ID", "7")
    text = json.dumps(provenance("abc"))
    assert '"gitCommit": "abc"' in text
    assert "https://forge/me/llm/actions/runs/7" in text
