import sys
from pathlib import Path

import httpx2
import pytest

from lab.errors import NotReady
from lab.server import Server


class Files(Server):
    """What Python serves of its folder."""

    name = "files"

    def command(self) -> list[str]:
        words = ["-m", "http.server", str(self.port), "--bind", "127.0.0.1", "--directory", str(self.folder)]
        return [sys.executable, *words]


class Broken(Server):
    name = "broken"

    def command(self) -> list[str]:
        return [sys.executable, "-c", "raise SystemExit('no such option')"]


def test_it_answers_inside_the_with_and_can_be_away_in_between(tmp_path: Path, unused_tcp_port: int) -> None:
    with Files(tmp_path / "made", unused_tcp_port) as server:
        assert httpx2.get(server.address).status_code == 200
        server.down()
        with pytest.raises(httpx2.HTTPError):
            httpx2.get(server.address, timeout=2)
        server.up()
        assert httpx2.get(server.address).status_code == 200
    with pytest.raises(httpx2.HTTPError):
        httpx2.get(server.address, timeout=2)


def test_one_that_ends_at_once_is_named_with_its_log(tmp_path: Path, unused_tcp_port: int) -> None:
    server = Broken(tmp_path, unused_tcp_port)
    with pytest.raises(NotReady, match=r"broken does not answer: see .*broken\.log"), server:
        pass
    assert "no such option" in server.log.read_text()
    assert server.child is None
