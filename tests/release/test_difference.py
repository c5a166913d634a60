from typing import Any

from release.difference import difference, short


def manifest(kind: str = "Rollout", version: str = "v1", **more: Any) -> dict[str, Any]:
    labels = {"app.kubernetes.io/version": version, "app": "llm"}
    return {"kind": kind, "metadata": {"name": "llm", "labels": labels}} | more


def test_the_same_has_no_difference() -> None:
    assert difference([manifest(spec={"a": 1, "b": 2})], [manifest(spec={"b": 2, "a": 1})]) == []


def test_a_label_that_every_object_repeats_is_no_difference() -> None:
    assert difference([manifest(version="v1")], [manifest(version="v2")]) == []


def test_a_changed_line_is_shown_with_its_object() -> None:
    lines = difference([manifest(spec={"image": "old"})], [manifest(spec={"image": "new"})])
    assert lines[0] == "~ Rollout/llm"
    assert lines[-2:] == ["-  image: old", "+  image: new"]


def test_what_serves_comes_first_and_new_or_gone_objects_take_one_line() -> None:
    lines = difference([manifest("ConfigMap")], [manifest("Service"), manifest("Rollout")])
    assert lines == ["+ new Rollout/llm", "- gone ConfigMap/llm", "+ new Service/llm"]


def test_a_secret_is_never_shown_nor_compared() -> None:
    assert difference([manifest("Secret", data={"key": "b25l"})], [manifest("Secret", data={"key": "dHdv"})]) == []
    lines = difference([manifest("Secret", data={"key": "b25l"})], [manifest("Secret", data={"other": "dHdv"})])
    assert not [line for line in lines if "b25l" in line or "dHdv" in line]
    assert [line for line in lines if "(hidden)" in line]


def test_a_long_difference_says_how_much_is_left_out() -> None:
    assert short(["x"] * 70)[-1] == "… and 10 lines more"
    assert short(["x"] * 60) == ["x"] * 60
