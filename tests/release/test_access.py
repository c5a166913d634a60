import os
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from release.access import open_way
from release.errors import ForgeAway, Refused
from tests.release.conftest import Scripted

NAMED = "delivery: {cluster: 'https://cluster.invalid:6443', authority: PEM}\n"


@pytest.fixture
def forge(server: Callable[[], Scripted], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scripted:
    made = server()
    (tmp_path / "values.yaml").write_text(NAMED)
    monkeypatch.setenv("KUBECONFIG", "")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"{made.url}/token")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "asks")
    return made


def test_the_runs_own_token_opens_the_cluster(forge: Scripted, tmp_path: Path) -> None:
    forge.on("GET", "/token", {"value": "a-token"})
    open_way(tmp_path)
    [asked] = forge.heard("GET")
    assert asked["query"] == {"audience": ["sluice"]}
    assert asked["headers"]["authorization"] == "Bearer asks"
    file = Path(os.environ["KUBECONFIG"])
    found = YAML(typ="safe").load(file.read_text())
    assert found["users"][0]["user"] == {"token": "a-token"}
    assert found["clusters"][0]["cluster"]["server"] == "https://cluster.invalid:6443"
    assert file.parent.stat().st_mode & 0o077 == 0


def test_a_kubeconfig_that_somebody_has_set_stays(
    forge: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/mine")
    open_way(tmp_path)
    assert os.environ["KUBECONFIG"] == "/mine"
    assert not forge.asked


def test_each_way_that_is_closed_says_what_to_do(
    forge: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forge.on("GET", "/token", {}, code=500)
    with pytest.raises(ForgeAway, match="run it again"):
        open_way(tmp_path)
    monkeypatch.delenv("ACTIONS_ID_TOKEN_REQUEST_URL")
    with pytest.raises(Refused, match="id-token: write"):
        open_way(tmp_path)
    (tmp_path / "values.yaml").write_text("{}\n")
    with pytest.raises(Refused, match=r"delivery\.cluster"):
        open_way(tmp_path)
