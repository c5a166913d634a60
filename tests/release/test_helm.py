import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from release.errors import Refused, Unreachable, UpgradeFailed
from release.helm import Helm, Pending, executable, one_line, run

CACHED = Path(os.environ.get("SLUICE_CACHE", "/var/cache/sluice")) / "bin" / "helm"


def helm_at(chart: Path) -> Helm:
    return Helm(chart, "llm", "demo")


def test_a_helm_that_was_built_from_its_module_is_understood(helm: Any, tmp_path: Path) -> None:
    helm.prints("version", "v3.22")
    assert str(helm_at(tmp_path).client.version) == "3.22.0"


def test_without_a_helm_it_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SLUICE_CACHE", str(tmp_path))
    with pytest.raises(Refused, match="install Helm 3"):
        executable()


def test_the_labs_helm_is_found_when_path_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("SLUICE_CACHE", str(tmp_path))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "helm").touch()
    assert executable() == str(tmp_path / "bin" / "helm")


def test_a_chart_that_is_not_there_is_named(helm: Any, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="--chart"):
        helm_at(tmp_path / "none")


def test_before_the_first_install_nothing_is_deployed(helm: Any, tmp_path: Path) -> None:
    assert run(helm_at(tmp_path).deployed()) is None


def test_what_helm_last_applied_is_read(helm: Any, tmp_path: Path) -> None:
    helm.deployed("engine:old")
    assert run(helm_at(tmp_path).deployed()) == [helm.manifest("engine:old")]


def test_a_cluster_that_helm_cannot_reach_is_one_line(helm: Any, tmp_path: Path) -> None:
    helm.prints("status", "Error: Kubernetes cluster unreachable:\nconnection refused")
    with pytest.raises(Unreachable, match="cluster unreachable: connection refused"):
        run(helm_at(tmp_path).deployed())


def test_an_upgrade_that_stops_midway_has_its_own_error(helm: Any, tmp_path: Path) -> None:
    helm.prints("upgrade", "Error: UPGRADE FAILED: admission webhook said no")
    with pytest.raises(UpgradeFailed, match="webhook said no; see `helm history llm`"):
        run(helm_at(tmp_path).upgrade({}))


def test_an_upgrade_returns_helms_revision(helm: Any, tmp_path: Path) -> None:
    assert run(helm_at(tmp_path).upgrade({})) == 3


def test_warnings_are_left_out_of_the_one_line() -> None:
    assert one_line(Exception("WARNING: old\nError: schema:\n- unknown key\n")) == "schema: - unknown key"


@pytest.mark.skipif(not (shutil.which("helm") or CACHED.is_file()), reason="no helm here; `make lab` builds one")
def test_the_real_helm_refuses_what_a_schema_refuses(tmp_path: Path) -> None:
    (tmp_path / "Chart.yaml").write_text("{apiVersion: v2, name: llm, version: 0.1.0}")
    (tmp_path / "values.schema.json").write_text('{"type": "object", "additionalProperties": false}')
    with pytest.raises(Refused, match="schema") as error:
        run(helm_at(tmp_path).rendered({"surprise": 1}))
    assert "\n" not in str(error.value)


def test_a_failed_upgrade_counts_as_nothing_deployed(helm: Any, tmp_path: Path) -> None:
    helm.deployed("engine:old")
    helm.prints("status", (helm.at / "status").read_text().replace('"deployed"', '"failed"'))
    assert run(helm_at(tmp_path).deployed()) == []


@pytest.mark.parametrize("status", ["pending-install", "pending-upgrade", "pending-rollback"])
def test_a_revision_that_is_pending_is_told_with_its_number(helm: Any, tmp_path: Path, status: str) -> None:
    told = helm.revision("engine:new")
    told["info"]["status"] = status
    helm.prints("status", json.dumps(told))
    with pytest.raises(Pending, match="at work on revision 3") as found:
        run(helm_at(tmp_path).deployed())
    assert found.value.revision == 3
