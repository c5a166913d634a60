import json
import os
import shutil
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from model import pin, serve

FOLDER = Path("/srv/model/tiny")


def value(line: list[str], option: str) -> str:
    return line[line.index(option) + 1]


def test_port_and_name_come_from_the_environment() -> None:
    env = {"SLUICE_ENGINE_PORT": "8123", "SLUICE_MODEL_NAME": "llm"}
    line = serve.command(pin.load(), FOLDER, env, [])
    assert (value(line, "--port"), value(line, "--served-model-name")) == ("8123", "llm")
    assert value(line, "--model") == "/srv/model/tiny"


def test_without_an_environment_the_pin_decides() -> None:
    line = serve.command(pin.load(), FOLDER, {}, [])
    assert (value(line, "--port"), value(line, "--served-model-name")) == ("8000", pin.load().served_name)
    assert "--shutdown-timeout" not in line
    assert set(pin.load().args) < set(line)


def test_the_shutdown_timeout_is_passed_on() -> None:
    assert value(serve.command(pin.load(), FOLDER, {"SLUICE_SHUTDOWN_SECONDS": "30"}, []), "--shutdown-timeout") == "30"


def test_an_answer_whose_request_names_no_number_is_bounded_and_the_site_has_the_last_word() -> None:
    own = '--override-generation-config={"max_new_tokens": 5}'
    line = serve.command(pin.load(), FOLDER, {"SLUICE_MAX_TOKENS": "300"}, [own])
    assert json.loads(value(line, "--override-generation-config")) == {"max_new_tokens": 300}
    assert line.index("--override-generation-config") < line.index(own)
    assert "--override-generation-config" not in serve.command(pin.load(), FOLDER, {}, [])


def test_arguments_of_the_pod_come_last_and_win() -> None:
    assert serve.command(pin.load(), FOLDER, {}, ["--max-num-seqs=8"])[-1] == "--max-num-seqs=8"


def test_a_release_that_asks_for_another_model_is_refused() -> None:
    with pytest.raises(pin.PinError, match="the release asks for 000000000000"):
        serve.verified(pin.DEFAULT, {"SLUICE_MODEL_SHA256": "0" * 64})
    assert serve.verified(pin.DEFAULT, {"SLUICE_MODEL_SHA256": pin.load().sha256})[0] == pin.load()


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """A copy of the model folder, and a stand-in for vLLM that prints how it was started."""
    shutil.copytree(pin.DEFAULT.parent / "tiny", tmp_path / "tiny")
    shutil.copy(pin.DEFAULT, tmp_path)
    module = tmp_path / "site" / "vllm" / "entrypoints" / "openai"
    module.mkdir(parents=True)
    (module / "api_server.py").write_text(
        "import os, sys; print(os.getpid(), os.environ['HF_HUB_OFFLINE'], *sys.argv[1:])"
    )
    return tmp_path


def run(served: Path, *args: str) -> tuple[int, subprocess.CompletedProcess[str]]:
    path = f"{served / 'site'}:{Path(__file__).parents[2]}"
    env = os.environ | {"SLUICE_MODEL_PIN": str(served / "model.yaml"), "PYTHONPATH": path}
    process = subprocess.Popen(
        [sys.executable, "-m", "model.serve", *args], env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, err = process.communicate(timeout=20)
    return process.pid, subprocess.CompletedProcess(process.args, process.returncode, out, err)


def test_it_becomes_the_engine_under_its_own_process_id(served: Path) -> None:
    pid, ran = run(served, "--seed=1")
    assert ran.returncode == 0, ran.stderr
    started, offline, *line = ran.stdout.split()
    assert (int(started), offline, line[-1]) == (pid, "1", "--seed=1")
    assert value(line, "--model") == str(served / "tiny")


def test_a_model_that_was_touched_never_reaches_the_engine(served: Path) -> None:
    config = served / "tiny" / "config.json"
    config.chmod(config.stat().st_mode | stat.S_IWUSR)
    config.write_text("{}")
    _, ran = run(served)
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert ran.stderr.count("\n") == 1
    assert "config.json" in ran.stderr


def test_adapters_are_served_by_their_names() -> None:
    line = serve.command(replace(pin.load(), adapters={"polite": "lora"}), FOLDER, {}, [])
    assert value(line, "--lora-modules") == "polite=/srv/model/tiny/lora"
    assert "--enable-lora" in line
