import tarfile
from pathlib import Path

import pytest

from release import context
from release.errors import Refused

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / ".dockerignore").write_text("# all\n*\n!app\n**/__pycache__\n")
    for name in (
        "app/main.py",
        "app/__pycache__/main.pyc",
        ".git/config",
        ".venv/bin/python",
        "build/report.html",
        "key",
    ):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return tmp_path


def entries(root: Path, **given: object) -> dict[str, tarfile.TarInfo]:
    with context.archive(root, **given) as file, tarfile.open(fileobj=file) as tar:  # type: ignore[arg-type]
        return {info.name: info for info in tar.getmembers()}


def test_only_what_an_image_copies_goes_to_the_builder(checkout: Path) -> None:
    assert set(entries(checkout)) == {"Dockerfile", ".dockerignore", "app", "app/main.py"}


def test_our_own_dockerignore_keeps_git_venv_and_build_away() -> None:
    tops = {path.split("/")[0] for path in context.paths(ROOT)}
    assert {"app", "model", "quality", "pyproject.toml", "uv.lock", "Dockerfile"} <= tops
    assert not tops & {".git", ".venv", "build", "tests", "environments", "charts"}
    assert not [path for path in context.paths(ROOT) if "__pycache__" in path]


def test_a_file_that_only_its_owner_may_read_is_readable_in_the_image(checkout: Path) -> None:
    (checkout / "app/main.py").chmod(0o600)
    entry = entries(checkout)["app/main.py"]
    assert (entry.mode, entry.uid, entry.uname) == (0o644, 0, "")


def test_a_script_stays_executable(checkout: Path) -> None:
    (checkout / "app/main.py").chmod(0o700)
    assert entries(checkout)["app/main.py"].mode == 0o755


def test_the_site_bundle_is_added_under_the_name_the_build_stage_copies(checkout: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "corporate.pem"
    bundle.write_text("certificate")
    assert entries(checkout, site_ca=bundle)[context.SITE_CA].size == len("certificate")
    assert f"{context.SITE_CA.removesuffix('.pem')}*.pem" in (ROOT / "Dockerfile").read_text()


def test_a_folder_without_a_dockerfile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="--context"):
        context.paths(tmp_path)


def test_the_archive_starts_as_docker_knows_an_archive(checkout: Path) -> None:
    with context.archive(checkout) as file:
        first = tarfile.TarInfo.frombuf(file.read(512), "utf-8", "strict")

    assert first.type in (tarfile.REGTYPE, tarfile.DIRTYPE)  # an extended header would be taken for a Dockerfile
