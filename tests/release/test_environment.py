import hashlib
import json
from pathlib import Path

import pytest

from release import environment
from release.errors import Refused


def change(folder: Path, **changes: object) -> None:
    path = folder / "release.yaml"
    document = json.loads(path.read_text())
    document["release"] |= changes
    path.write_text(json.dumps(document))


POLITE = {"state": "ENABLED", "variants": {"polite": {"prompt": "polite"}}, "defaultVariant": "polite"}


def carried(text: str) -> dict[str, str]:
    return {"sha256": hashlib.sha256(text.encode()).hexdigest(), "content": text}


def test_all_that_makes_a_release_is_read(folder: Path) -> None:
    change(
        folder,
        model={"id": "qwen-7b-chat-v1.2.0-canary-20250405", "revision": "r1", "sha256": "b" * 64},
        adapter={"legal": "c" * 64},
        prompts=carried("polite: {template: 'Please answer: {prompt}'}\n"),
        flags=carried(json.dumps({"flags": {"variant": POLITE}})),
        baseline={"path": "quality/baseline.jsonl", "sha256": "sha256:" + "d" * 64},
    )
    found = environment.load(folder).release
    assert found.flags is not None
    assert found.adapter == {"legal": "c" * 64}


def test_a_right_folder_is_read(folder: Path) -> None:
    found = environment.load(folder)
    assert found.release.version == "v1.1.0"
    assert found.values == {"engine": {"replicas": 1}}
    assert set(found.document) == {"release"}


def test_the_namespace_is_the_folders_name(folder: Path) -> None:
    assert environment.namespace_of(folder) == "demo"
    with pytest.raises(Refused, match="--namespace"):
        environment.namespace_of(Path("/x/My_Env"))


def test_an_unknown_environment_names_the_known_ones() -> None:
    with pytest.raises(Refused, match=r"one of: .*prod"):
        environment.folder_of("nowhere")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": "1.2"}, r"release\.version.*write it like v1\.2\.0"),
        ({"images": {"gateway": "a:latest", "engine": "b@sha256:" + "a" * 64}}, r"release\.images\.gateway.*a digest"),
        ({"images": {"gateway": "a@sha256:" + "a" * 64}}, r"`release\.images\.engine` is missing; add it"),
        ({"canary": True}, r"`release\.canary` is not a key of a release; remove it"),
        ({"gates": "latest"}, r"release\.gates.*sha256:<64 hex digits>"),
        ({"flags": carried("{}")}, r"release`: flags: no object `flags`.*; correct flags\.json"),
        ({"flags": carried("{")}, r"release`: flags: not JSON"),
        ({"flags": carried('{"flags": {}}') | {"sha256": "0" * 64}}, r"release\.flags`: sha256 is 000000000000…, but"),
        ({"prompts": carried("- a\n")}, r"release\.prompts`: no mapping of names to prompts; correct prompts\.yaml"),
        ({"prompts": carried("a: [")}, r"release\.prompts`: not YAML"),
        ({"prompts": carried("system: Be brief.\n")}, r"release\.prompts`: system: .*; correct prompts\.yaml"),
        ({"flags": carried(json.dumps({"flags": {"variant": POLITE}}))}, r"release`: flags: .*no prompt polite"),
        ({"baseline": {"path": "/etc/passwd", "sha256": "0" * 64}}, r"release\.baseline\.path"),
        (
            {"model": {"id": "qwen-v1.2-canary", "revision": "r", "sha256": "0" * 64}},
            r"release\.model\.id`: .*write it like qwen-7b-chat-v1\.2\.0-canary-20250405",
        ),
    ],
)
def test_a_wrong_release_is_one_line_with_file_key_and_fix(folder: Path, changes: dict[str, object], said: str) -> None:
    change(folder, **changes)
    with pytest.raises(Refused, match=said) as error:
        environment.load(folder)
    assert str(folder / "release.yaml") in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "values.yaml").unlink()
    with pytest.raises(Refused, match=r"values\.yaml: cannot be read"):
        environment.load(folder)


def test_values_may_not_hold_a_release(folder: Path) -> None:
    (folder / "values.yaml").write_text("release: {version: v9.9.9}\n")
    with pytest.raises(Refused, match=r"belongs to release\.yaml"):
        environment.load(folder)


@pytest.mark.parametrize(("text", "said"), [("a: [", "is not YAML"), ("- a\n", "must be a mapping")])
def test_what_is_no_mapping_is_refused_in_one_line(folder: Path, text: str, said: str) -> None:
    (folder / "values.yaml").write_text(text)
    with pytest.raises(Refused, match=said) as error:
        environment.load(folder)
    assert "\n" not in str(error.value)
