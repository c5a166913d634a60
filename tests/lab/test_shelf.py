import shutil
from pathlib import Path

import httpx2
import pytest

from lab.shelf import Shelf
from release import registry
from release.errors import Refused

pytestmark = pytest.mark.skipif(not shutil.which("docker-registry"), reason="lab/install lab brings docker-registry")


@pytest.fixture
def shelf(tmp_path: Path, unused_tcp_port: int) -> Shelf:
    return Shelf(tmp_path, unused_tcp_port)


def test_an_image_is_there_by_digest_and_gets_its_tag_later(shelf: Shelf) -> None:
    with shelf, httpx2.Client() as client:
        image = shelf.image("sluice/engine")
        registry.require(image, client)
        assert shelf.tags("sluice/engine") == []
        registry.tag(image, "v1.0.0", client)
        assert shelf.tags("sluice/engine") == ["v1.0.0"]


def test_a_registry_that_is_away_changes_nothing_and_says_so(shelf: Shelf) -> None:
    with shelf, httpx2.Client() as client:
        image = shelf.image("sluice/engine")
        shelf.down()
        with pytest.raises(Refused, match="does not answer"):
            registry.tag(image, "v1.0.0", client)
        shelf.up()
        with pytest.raises(Refused, match="404"):
            registry.tag(image[:-1] + ("0" if image[-1] != "0" else "1"), "v1.0.0", client)
