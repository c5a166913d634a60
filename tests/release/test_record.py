import hashlib
from pathlib import Path
from typing import Any

import pytest

from model import pin
from release import audit, record
from release.environment import checked, parsed
from release.errors import Refused
from release.history import History, identity
from release.write import document
from tests.release.team import DIGEST, Team

ROOT = Path(__file__).parents[2]
IMAGES = {"gateway": f"h/g@{DIGEST}", "engine": f"h/e@{DIGEST}"}
FLAGS = '{\n "flags": {}\n}\n'
PROMPTS = "polite:\n  system: |\n    Answer kindly.\n简: {system: '用一句话'}\n"
BASELINE = '{"id": "a", "answer": "北京"}\n'


@pytest.fixture
def commit(team: Team) -> str:
    """A commit with everything that a release takes from it, and its tag."""
    model = pin.load(ROOT / "model/model.yaml")
    files = {**model.files, "legal/adapter.bin": "a" * 64}
    adapted = pin.Pin(**vars(model) | {"files": files, "sha256": pin.total(files), "adapters": {"legal": "legal"}})
    (team.folder / "model.yaml").write_text("")
    pin.save(adapted, team.folder / "model.yaml")
    made = team.push(
        "feat: all of it",
        {
            "model/model.yaml": (team.folder / "model.yaml").read_text(),
            "environments/staging/flags.json": FLAGS,
            "environments/staging/prompts.yaml": PROMPTS,
            "quality/baseline.jsonl": BASELINE,
            "gates.yaml": "any",
        },
    )
    team.history.git("checkout", "--quiet", "--detach", made)
    team.history.git("tag", "--annotate", "--message=x", "v1.0.0", made, env=identity())
    return made


@pytest.fixture
def content(team: Team, commit: str) -> dict[str, Any]:
    root = team.history.root
    return record.content(root, "staging", "v1.0.0", IMAGES, root / "gates.yaml")


def test_all_that_makes_a_release_is_written(content: dict[str, Any]) -> None:
    keys = ["version", "images", "model", "adapter", "prompts", "flags", "gates", "baseline"]
    assert list(content) == keys
    assert content["flags"] == {"sha256": hashlib.sha256(FLAGS.encode()).hexdigest(), "content": FLAGS}
    assert content["adapter"] == {"legal": hashlib.sha256(f"{'a' * 64}  legal/adapter.bin\n".encode()).hexdigest()}
    assert content["baseline"]["sha256"] == hashlib.sha256(BASELINE.encode()).hexdigest()


def test_what_is_written_is_read_back_to_the_byte_and_shows_its_lines(content: dict[str, Any]) -> None:
    text = document(content)
    assert parsed(text, "release.yaml")["release"] == content
    assert "      Answer kindly.\n" in text


def test_an_environment_without_prompts_and_flags_names_none(team: Team, commit: str) -> None:
    root = team.history.root
    found = record.content(root, "prod", "v1.0.0", IMAGES, root / "gates.yaml")
    assert {"prompts", "flags"}.isdisjoint(found)


def test_a_release_fits_the_commit_of_its_tag(team: Team, content: dict[str, Any]) -> None:
    release = checked({"release": content}, "release.yaml")
    assert record.check(team.history, release) == "model, adapters and baseline"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("model", {"id": "x", "revision": "r", "sha256": "0" * 64}, r"release\.model\.sha256 is 000000000000…"),
        ("adapter", {"legal": "0" * 64}, r"release\.adapter\.legal is 0"),
        ("adapter", {"other": "0" * 64}, r"release\.adapter: v1\.0\.0 has \['legal'\]"),
        ("baseline", {"path": "quality/baseline.jsonl", "sha256": "0" * 64}, r"release\.baseline\.sha256 is 0.*there"),
        ("baseline", {"path": "quality/gone.jsonl", "sha256": "0" * 64}, r"v1\.0\.0's is not there"),
    ],
)
def test_a_hash_that_does_not_fit_is_refused(
    team: Team, content: dict[str, Any], key: str, value: Any, said: str
) -> None:
    release = checked({"release": content | {key: value}}, "release.yaml")
    with pytest.raises(Refused, match=said):
        record.check(team.history, release)


def test_a_release_of_another_repository_is_said_to_be_uncompared(team: Team, content: dict[str, Any]) -> None:
    release = checked({"release": content | {"version": "v7.0.0"}}, "release.yaml")
    assert "no tag v7.0.0 here" in record.check(team.history, release)


def test_a_tag_whose_commit_pins_no_model_is_refused(team: Team, content: dict[str, Any]) -> None:
    team.history.git("tag", "--annotate", "--message=x", "v0.9.0", f"{team.history.main}~1", env=identity())
    release = checked({"release": content | {"version": "v0.9.0"}}, "release.yaml")
    with pytest.raises(Refused, match=r"v0\.9\.0:model/model\.yaml: is no model pin"):
        record.check(team.history, release)


def test_a_commit_without_a_model_pin_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"model\.yaml: cannot be read"):
        record.content(tmp_path, "staging", "v1.0.0", IMAGES, tmp_path / "gates.yaml")


def test_older_code_is_never_recorded_over_newer(team: Team, content: dict[str, Any]) -> None:
    """The older merge's images were ready last."""
    made = team.push("fix: one more")
    newer = team.clone("newer")
    newer.git("checkout", "--quiet", "--detach", made)
    newer.git("tag", "--annotate", "--message=x", "v1.0.1", "HEAD", env=identity())
    newer.git("push", "--quiet", "origin", "v1.0.1")
    assert record.record(team.history, None, "staging", content).changed
    assert record.record(newer, None, "staging", content | {"version": "v1.0.1"}).changed
    assert not record.record(team.history, None, "staging", content).changed
    assert team.version_in("staging") == "v1.0.1"
    assert [one.version for one in audit.read(newer, "staging")] == ["v1.0.0", "v1.0.1"]


def test_who_records_holds_the_lock_and_so_sees_what_came_before(team: Team, content: dict[str, Any]) -> None:
    other, seen = team.clone("other"), []
    made, wrote = History.amend, History.remote_tip

    def looked(history: History, branch: str, change: Any) -> str:
        seen.append((branch, wrote(other, "refs/sluice/lock/staging") != ""))
        return made(history, branch, change)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(History, "amend", looked)
        record.record(team.history, None, "staging", content)
    assert seen == [("main", True), (audit.BRANCH, False)]
