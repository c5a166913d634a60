import httpx2
import pytest

from lab.listener import Quiet, listening


class Echo(Quiet):
    def do_GET(self) -> None:  # noqa: N802 - a name that http.server looks for
        self.reply(200, self.path.encode())


def test_it_answers_as_long_as_the_block_runs_and_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with listening(Echo) as address:
        assert httpx2.get(f"http://{address}/a").text == "/a"
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"http://{address}/a")
    assert capfd.readouterr() == ("", "")


def test_it_is_this_machines_alone_and_ends_with_an_error_too() -> None:
    with pytest.raises(ValueError, match="of the block"), listening(Echo) as address:
        assert address.startswith("127.0.0.1:")
        raise ValueError("of the block")
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"http://{address}/a")
