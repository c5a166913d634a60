"""The interface that releases go through, against a real Gitea."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import paths
from lab.gitea import Forge
from lab.modules import GO
from lab.office import AUTHOR
from model.running import free_port
from release.errors import ForgeAway, Refused
from release.forge import Gitea
from release.history import History

pytestmark = pytest.mark.skipif(
    not (paths.BIN / "gitea").exists() or not GO.exists(), reason="make gitops builds Gitea"
)


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))
    folder.chmod(0o755)
    with Forge(folder / "forge", free_port()) as made:
        yield made
    shutil.rmtree(folder)


def pushed(forge: Forge, folder: Path) -> str:
    """A repository with a branch beside main; returns its address in the interface."""
    api = forge.repository("ada", "llm")
    folder.mkdir()
    history = History(folder)
    history.git("init", "--quiet", "--initial-branch=main")
    first = history.commit("", {"a": "1"}, "feat: one")
    second = history.commit(first, {"a": "2"}, "feat: two")
    remote = f"http://ada:{forge.tokens['ada']}@127.0.0.1:{forge.port}/ada/llm.git"
    history.git("push", "--quiet", remote, f"{first}:refs/heads/main", env=AUTHOR)
    history.git("push", "--quiet", remote, f"{second}:refs/heads/two", env=AUTHOR)
    return api


def test_a_pull_request_is_marked_approved_and_merged_as_its_rules_say(forge: Forge, tmp_path: Path) -> None:
    for person in ("ada", "bea"):
        forge.person(person)
    api = pushed(forge, tmp_path / "work")
    mine, theirs = Gitea(api, forge.tokens["ada"]), Gitea(api, forge.tokens["bea"])
    while forge.ask("ada", "GET", "/repos/ada/llm")["empty"]:
        pass
    rule = {
        "branch_name": "main",
        "enable_status_check": True,
        "status_check_contexts": ["ci"],
        "required_approvals": 1,
    }
    forge.ask("ada", "POST", "/repos/ada/llm/branch_protections", rule | {"status_check_contexts": ["ci"]})
    pull = mine.open("two", "main", "feat: two", "why")
    assert mine.open("two", "main", "feat: two", "why").number == pull.number
    mine.mark(pull.sha, "ci", "failure", "red")
    with pytest.raises(Refused):
        mine.merge(pull.number)
    theirs.approve(pull.number, "fine")
    mine.mark(pull.sha, "ci", "success", "green")
    assert mine.approvers(pull.number) == ["bea"]
    assert mine.marks(pull.sha) == {"ci": "success"}
    mine.merge(pull.number)
    assert mine.pull(pull.number).merged
    forge.down()
    with pytest.raises(ForgeAway):
        mine.pull(pull.number)
    forge.up()
    assert mine.pull(pull.number).state == "closed"
