import json
import subprocess
from pathlib import Path
from typing import Any

import httpx2
import pytest
from lightkube import ApiError

from lab import gitops, paths
from lab.errors import Refused
from lab.gitops import row
from lab.scenes import SCENES
from release.errors import ForgeAway


def good(office: Any) -> dict[str, bool]:
    """All is
    well."""
    return {"green": True}


def bad(office: Any) -> dict[str, bool]:
    """Half of it."""
    return {"green": True, "merged": False}


def broken(office: Any) -> dict[str, bool]:
    """Nothing at all."""
    raise ForgeAway("no answer")


def test_a_scene_is_ok_only_when_everything_was_seen() -> None:
    rows = [row(scene, None) for scene in (good, bad, broken)]  # type: ignore[arg-type]
    assert [one["ok"] for one in rows] == [True, False, False]
    assert rows[0]["expected"] == "All is well."
    assert rows[2]["seen"] == {"ForgeAway: no answer": False}


def slow(office: Any) -> dict[str, bool]:
    """An answer."""
    raise subprocess.TimeoutExpired(["/opt/bin/act", "--env", "TOKEN=xyz"], 900)


def failing(office: Any) -> dict[str, bool]:
    """A clone."""
    raise subprocess.CalledProcessError(128, ["git", "clone", "http://ada:xyz@forge"])


def refused(office: Any) -> dict[str, bool]:
    """A cluster that lets us."""
    answer = {"kind": "Status", "code": 403, "message": "forbidden"}
    raise ApiError(response=httpx2.Response(403, json=answer, request=httpx2.Request("GET", "http://api")))


def test_a_scene_that_breaks_down_ends_no_other_and_tells_no_token() -> None:
    rows = [row(scene, None) for scene in (slow, failing, refused)]
    assert [one["ok"] for one in rows] == [False] * 3
    assert [list(one["seen"]) for one in rows] == [
        ["TimeoutExpired: act"],
        ["CalledProcessError: git"],
        ["ApiError: forbidden"],
    ]


def test_somebody_elses_cluster_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "EXISTING", True)
    for part in ("all", "cluster", "engine"):
        with pytest.raises(Refused, match="unset LAB"):
            gitops.played(gitops.Book.__new__(gitops.Book), part)


def test_only_the_scenes_that_were_named_are_played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gitops, "OUT", tmp_path / "gitops")
    book = gitops.Book(("bad",))
    book.play((good, bad, broken), None)
    assert book.failed() == 1
    told = json.loads((tmp_path / "gitops/report.json").read_text())
    assert [one["name"] for one in told["scenarios"]] == ["bad"]
    assert {"commit", "started"} <= told.keys()
    assert gitops.Book(("none",)).failed() == 1  # nothing played is no success


def test_every_scene_says_what_is_expected_of_it() -> None:
    assert all((scene.__doc__ or "").strip().endswith(".") for scene in SCENES)
    assert len({scene.__name__ for scene in SCENES}) == len(SCENES)
