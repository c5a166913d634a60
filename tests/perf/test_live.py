from pathlib import Path

import pytest

from perf import live
from perf.errors import Refused

DIGEST = "registry/engine@sha256:" + "a" * 64


def release(folder: Path, environment: str, text: str) -> None:
    (folder / environment).mkdir()
    (folder / environment / "release.yaml").write_text(text)


def named(image: str) -> str:
    return f"release:\n  images:\n    engine: {image}\n"


def test_nothing_was_released_yet(tmp_path: Path) -> None:
    assert live.engine(tmp_path) == ""


def test_users_have_what_production_names(tmp_path: Path) -> None:
    release(tmp_path, "staging", named("staging/engine"))
    assert live.engine(tmp_path) == "staging/engine"

    release(tmp_path, "prod", named(DIGEST))
    assert live.engine(tmp_path) == DIGEST


def test_a_tree_is_compared_with_the_tree_of_the_live_tag(tmp_path: Path) -> None:
    release(tmp_path, "prod", f"release:\n  version: v1.2.0\n  images:\n    engine: {DIGEST}\n")
    assert live.engine(tmp_path, tree=True) == "v1.2.0"
    (tmp_path / "prod/release.yaml").write_text(named(DIGEST))
    with pytest.raises(Refused, match=r"prod/release\.yaml: names no version"):
        live.engine(tmp_path, tree=True)


@pytest.mark.parametrize("text", ["release: {images: {}}", "", "release: [", "a: 1"])
def test_a_release_without_an_engine_is_refused_by_its_file(tmp_path: Path, text: str) -> None:
    release(tmp_path, "prod", text)

    with pytest.raises(Refused, match=r"prod/release\.yaml: names no engine"):
        live.engine(tmp_path)
