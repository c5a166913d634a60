import json
from pathlib import Path

import pytest

from lab.errors import NotReady
from lab.tofu import Tofu, errors

TOFU = """#!/bin/sh
shift
echo "$@" >>"$LOG"
env | grep -E '^(TF|HELM)_' | sort >>"$LOG"
[ "$1" = show ] && echo "Warning: no settings" && cat "$PLANNED"
[ "$1" = validate ] && printf '\\n\\342\\225\\267\\n\\342\\224\\202 Error: Unsupported block\\n\\342\\224\\202   on roles.tf line 3\\n\\342\\225\\265\\n' >&2 && exit 1
exit "${CODE:-0}"
"""  # noqa: E501 - a box as tofu draws it


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for tofu, which writes there what it was asked; the real one runs in `make infrastructure`."""
    (tmp_path / "tofu").write_text(TOFU)
    (tmp_path / "tofu").chmod(0o755)
    monkeypatch.setattr("lab.paths.BIN", tmp_path)
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    monkeypatch.setenv("PLANNED", str(tmp_path / "planned"))
    return tmp_path / "log"


def test_variables_are_told_as_tofu_reads_them(log: Path, tmp_path: Path) -> None:
    Tofu(tmp_path, {"kubeconfig": "/a b", "monitoring": None, "sizes": {"gpus": 4}}).apply()
    said = log.read_text().splitlines()
    assert said[0] == "apply -input=false -auto-approve"
    assert f"HELM_CACHE_HOME={tmp_path}/.helm" in said
    assert {"TF_VAR_kubeconfig=/a b", "TF_VAR_monitoring=null", 'TF_VAR_sizes={"gpus": 4}'} <= set(said)


def test_providers_come_from_a_folder_only_where_one_is_named(log: Path, tmp_path: Path) -> None:
    Tofu(tmp_path).init("")
    Tofu(tmp_path).init("/mirror")
    assert [line for line in log.read_text().splitlines() if line.startswith("init")] == [
        "init -input=false",
        "init -input=false -plugin-dir=/mirror",
    ]


def test_what_is_planned_leaves_out_what_stays(log: Path, tmp_path: Path) -> None:
    changes = [
        {"address": "a.b", "change": {"actions": ["create"]}},
        {"address": "a.c", "change": {"actions": ["no-op"]}},
        {"address": "a.d", "change": {"actions": ["delete", "create"]}},
    ]
    (tmp_path / "planned").write_text(json.dumps({"resource_changes": changes}))
    assert Tofu(tmp_path).planned() == {"a.b": ["create"], "a.d": ["delete", "create"]}


def test_what_is_wrong_is_said_in_one_line(log: Path, tmp_path: Path) -> None:
    assert Tofu(tmp_path).wrong("fmt") == ""
    assert Tofu(tmp_path / "cluster").wrong("validate") == (
        "tofu validate in cluster: Error: Unsupported block on roles.tf line 3"
    )


def test_another_end_is_good_only_where_it_was_foreseen(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODE", "2")
    assert Tofu(tmp_path).run("plan", good=(0, 2)).returncode == 2
    with pytest.raises(NotReady, match=r"tofu plan in .*: 2"):
        Tofu(tmp_path).run("plan")


def test_words_without_a_box_are_kept() -> None:
    assert errors("flag provided but not defined: -x\n") == "flag provided but not defined: -x"
