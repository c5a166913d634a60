import json
import subprocess
from pathlib import Path

import pytest

from lab import paths, pki


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(paths, "PKI", tmp_path / "pki")
    monkeypatch.setattr(paths, "KUBECONFIG", tmp_path / "kubeconfig")
    pki.make()
    return tmp_path


def test_the_servers_certificate_is_signed_by_the_ca_and_names_the_nodes_address(made: Path) -> None:
    verify = ["openssl", "verify", "-CAfile", made / "pki/ca.crt", made / "pki/api.crt"]
    text = ["openssl", "x509", "-noout", "-text", "-in", made / "pki/api.crt"]

    assert subprocess.run(verify, check=True, capture_output=True, text=True).stdout.endswith("OK\n")
    assert f"IP Address:{paths.NODE_IP}" in subprocess.run(text, check=True, capture_output=True, text=True).stdout


def test_only_its_owner_can_read_the_admin_token(made: Path) -> None:
    token = json.loads((made / "kubeconfig").read_text())["users"][0]["user"]["token"]

    assert (made / "pki/tokens.csv").read_text().startswith(f"{token},admin")
    for file in ("kubeconfig", "pki/tokens.csv"):
        assert (made / file).stat().st_mode & 0o077 == 0
