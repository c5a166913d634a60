from typing import Any

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


def test_every_scene_says_what_is_expected_of_it() -> None:
    assert all((scene.__doc__ or "").strip().endswith(".") for scene in SCENES)
    assert len({scene.__name__ for scene in SCENES}) == len(SCENES)
