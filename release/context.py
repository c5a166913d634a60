"""What goes to the builder: the files that .dockerignore lets through, with the same modes on every machine."""

import io
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from docker.utils.build import exclude_paths  # type: ignore[import-untyped]

from release.errors import Refused

DOCKERFILE = "Dockerfile"
SITE_CA = "site-ca.pem"  # the build stage takes it when it is there; no final stage copies it


def paths(root: Path) -> list[str]:
    """The context's files and folders, sorted, relative to `root`.

    Raises:
        Refused: there is no Dockerfile.
    """
    if not (root / DOCKERFILE).is_file():
        raise Refused(f"{root}: no {DOCKERFILE} there; run this in the repository, or name it with --context")
    ignore = root / ".dockerignore"
    lines = ignore.read_text().splitlines() if ignore.is_file() else []
    patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return sorted(exclude_paths(str(root), patterns, dockerfile=DOCKERFILE))


def plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """The same entry as any other checkout would have it: an image runs as another user than the one who built it."""
    info.mode = 0o755 if info.isdir() or info.mode & 0o100 else 0o644
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mtime = 0  # a fraction of a second would make a header that docker does not know an archive by
    return info


def archive(root: Path, site_ca: Path | None = None, only: str = "") -> IO[bytes]:
    """A tar of the context, at its start; `site_ca` is the CA bundle that the build stage needs at this site."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller reads it to its end
    with tarfile.open(fileobj=file, mode="w") as tar:
        for path in paths(root):
            if path.startswith(only):
                tar.add(root / path, arcname=path, recursive=False, filter=plain)
        if site_ca is not None:
            add(tar, {SITE_CA: site_ca.read_bytes()})
    file.seek(0)
    return file


def add(tar: tarfile.TarFile, texts: Mapping[str, bytes]) -> None:
    for name, content in texts.items():
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), 0o644
        tar.addfile(info, io.BytesIO(content))
