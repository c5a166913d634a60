import os
import sys
from pathlib import Path

import httpx2
import pytest

from model import make, running

SERVER = """
import http.server, json, sys
port = int(sys.argv[sys.argv.index("--port") + 1])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps({"usage": {"completion_tokens": 1}}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What answers in vLLM's place; returns the module's file."""
    file = tmp_path / "site/vllm/entrypoints/openai/api_server.py"
    file.parent.mkdir(parents=True)
    file.write_text(SERVER)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'site'}{os.pathsep}{Path(__file__).parents[2]}")
    return file


def test_an_engine_is_up_inside_the_block_and_gone_after_it(stand_in: Path, tmp_path: Path) -> None:
    asked = {"prompt": "1", "max_tokens": 1}
    with running.engine(make.TINY, Path(sys.executable), tmp_path / "engine.log") as url:
        assert httpx2.post(f"{url}/v1/completions", json=asked).status_code == 200
    with pytest.raises(httpx2.ConnectError):
        httpx2.post(f"{url}/v1/completions", json=asked)


def test_an_engine_that_ends_while_it_starts_is_one_line_with_its_log(stand_in: Path, tmp_path: Path) -> None:
    stand_in.write_text("raise SystemExit('out of memory')")
    with (
        pytest.raises(running.EngineError, match=r"ended with 1 while it started: .*engine\.log says why"),
        running.engine(make.TINY, Path(sys.executable), tmp_path / "engine.log"),
    ):
        pass
    assert "out of memory" in (tmp_path / "engine.log").read_text()


def test_without_an_engine_the_line_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(running.EngineError, match="run lab/install engine"):
        running.environment_of(tmp_path)
