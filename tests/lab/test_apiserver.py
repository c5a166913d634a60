import json
import stat
from pathlib import Path

import pytest

from lab.apiserver import Api, Controllers, Etcd
from lab.errors import NotReady

KUBECTL = """#!/bin/sh
[ "$1" = --kubeconfig ] && [ -r "$2" ] || exit 9
shift 2
case "$*" in
  "get --raw /readyz") echo "${READY:-ok}" ;;
  "get nodes") printf 'forbidden: attempting\\nto grant\\n' >&2; exit 1 ;;
  "create -f -") cat ;;
esac
"""


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Api:
    """A prepared one, and a stand-in for kubectl; real ones run in `make infrastructure PLAN=1`."""
    (tmp_path / "kubectl").write_text(KUBECTL)
    (tmp_path / "kubectl").chmod(0o755)
    monkeypatch.setattr("lab.paths.BIN", tmp_path)
    api = Api(tmp_path / "api", "http://127.0.0.1:1")
    api.prepare()
    return api


def test_only_its_owner_reads_the_token(api: Api) -> None:
    for file in (api.kubeconfig, api.folder / "tokens.csv"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    given = json.loads(api.kubeconfig.read_text())
    token = given["users"][0]["user"]["token"]
    assert (api.folder / "tokens.csv").read_text() == f'{token},admin,admin,"system:masters"\n'
    assert given["clusters"][0]["cluster"]["server"] == f"https://127.0.0.1:{api.port}"


def test_all_three_listen_on_loopback_alone_and_write_into_their_folders(api: Api, tmp_path: Path) -> None:
    etcd, controllers = Etcd(tmp_path / "etcd", 2), Controllers(tmp_path / "controllers", api)
    assert f"--data-dir={tmp_path}/etcd/data" in etcd.command()
    assert all("127.0.0.1" in word for word in etcd.command() if "-urls=" in word)
    for server in (api, controllers):
        assert "--bind-address=127.0.0.1" in server.command()
        assert f"--cert-dir={server.folder}" in server.command()
    assert api.etcd == "http://127.0.0.1:1"
    assert "--etcd-servers=http://127.0.0.1:1" in api.command()


def test_it_answers_when_it_says_that_it_is_ready(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    assert api.answers()
    monkeypatch.setenv("READY", "[-]etcd failed")
    assert not api.answers()


def test_a_refusal_is_told_whole_or_raised(api: Api) -> None:
    assert api.denied("create", "-f", "-", stdin="{}") == ""
    assert api.kubectl("create", "-f", "-", stdin="{}") == "{}"
    assert api.denied("get", "nodes") == "forbidden: attempting\nto grant"
    with pytest.raises(NotReady, match="kubectl failed: to grant"):
        api.kubectl("get", "nodes")
