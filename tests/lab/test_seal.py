from pathlib import Path
from typing import Any

import pytest

from lab import paths, seal
from lab.shelf import digest
from release import environment
from release.signature import Trust

IMAGE = f"127.0.0.1:5077/sluice/engine@{digest(b'x')}"


class Office:
    """Keeps how it was asked, and the folder as it was then."""

    def __init__(self, code: int) -> None:
        self.code, self.asked, self.seen = code, [""], environment.ROOT

    def sluice(self, *words: str) -> tuple[int, str]:
        self.asked, self.seen = [*words], Path(words[1])
        return self.code, ""


def test_what_is_deployed_trusts_one_key_and_is_otherwise_in_order(tmp_path: Path) -> None:
    office: Any = Office(14)
    assert seal.trusted(office, IMAGE, tmp_path) == 14
    found = environment.load(office.seen)
    assert Trust.of(found.values["delivery"]) == Trust(f"{tmp_path}/cosign.pub")
    assert found.release.images.engine == IMAGE
    assert office.asked[0] == "deploy"
    assert seal.trusted(office, IMAGE, tmp_path) == 14  # a second time the folder is there


@pytest.mark.skipif(not (paths.BIN / "cosign").exists(), reason="make gitops builds cosign")
def test_every_run_makes_keys_of_its_own(tmp_path: Path) -> None:
    pairs = [seal.key(tmp_path / name) for name in ("ours", "theirs")]
    keys = {(pair / "cosign.pub").read_text() for pair in pairs}
    assert len(keys) == 2
    assert all((pair / "cosign.key").stat().st_size > 0 for pair in pairs)
