import os
import shutil

import pytest

from lab import paths


@pytest.fixture(scope="session")
def helm() -> str:
    program = shutil.which("helm", path=f"{paths.BIN}{os.pathsep}{os.environ['PATH']}")
    return program or pytest.skip("no helm: make lab builds it, or put it on PATH")
