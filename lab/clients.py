"""`make clients`: programs that many people run, unchanged, against the gateway in front of an engine.

Exit codes: 0 all of them are content, 1 one is not (its output follows), 5 something is not installed.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import openai
import yaml

from lab import paths
from lab.errors import LabError, Refused
from model import pin, running
from perf import engine as engines
from perf.errors import PerfError

ROOT = Path(__file__).parents[1]
TOKENIZER = ROOT / "model" / "tiny"
SECONDS = 240  # for one client
REQUESTS = 6
START_SECONDS = 90.0  # of a server on a busy machine
CASES = [{"question": "Where does the river lie?", "answer": "a"}, {"question": "河在哪里？", "answer": "b"}]
ENVIRONMENT = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


class Failed(LabError):
    """A client is not content; the message says with what."""


@dataclass(frozen=True)
class Place:
    """Where a client finds the gateway, and a folder of its own."""

    url: str
    model: str
    folder: Path
    real: bool  # a real engine also scores texts that it is given


def curl(place: Place) -> None:
    """As the documentation of OpenAI's API has it: -N for streams, --fail for scripts."""
    asked = {"model": place.model, "messages": [{"role": "user", "content": CASES[0]["question"]}], "max_tokens": 8}
    chat = f"{place.url}/v1/chat/completions"
    whole = json.loads(ran("curl", "-sS", "--fail", "--json", json.dumps(asked), chat))
    stream = ran("curl", "-sSN", "--fail", "--json", json.dumps({**asked, "stream": True}), chat)
    wrong = ran("curl", "-sS", "-w", "%{http_code}", "--json", json.dumps({**asked, "n": 10**6}), chat)
    expect(bool(whole["choices"][0]["message"]["content"]), "the whole answer is empty")
    expect(stream.rstrip().endswith("data: [DONE]"), "the stream does not end with [DONE]")
    expect(wrong.endswith("400") and "error" in wrong, "n = 10^6 is not refused with 400")


def official(place: Place) -> None:
    """The `openai` package."""
    with openai.OpenAI(base_url=f"{place.url}/v1", api_key="any") as client:
        make: Any = partial(client.chat.completions.create, model=place.model, max_tokens=8, temperature=0)
        whole = make(messages=[{"role": "user", "content": CASES[0]["question"]}])
        stream = make(messages=[{"role": "user", "content": CASES[0]["question"]}], stream=True)
        said = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
        expect(said == whole.choices[0].message.content, "streamed and whole answers differ")
        expect([model.id for model in client.models.list()] == [place.model], "the list of models is not the one model")


def guidellm(place: Place) -> None:
    report = place.folder / "guidellm.json"
    ran(
        *(program("guidellm"), "run", "--disable-console"),
        *("--backend", f"kind=openai_http,target={place.url},model={place.model}"),
        *("--profile", "kind=concurrent,streams=2", "--constraint", f"kind=max_requests,count={REQUESTS}"),
        *("--tokenizer", f"kind=huggingface_auto,model={TOKENIZER}"),
        *("--data", "kind=synthetic_text,prompt_tokens=16,output_tokens=8", "--output", f"kind=json,path={report}"),
    )
    totals = json.loads(report.read_text())["benchmarks"][0]["metrics"]["request_totals"]
    expect(totals["successful"] == REQUESTS, f"of {REQUESTS} requests {totals} ended")


def lm_eval(place: Place) -> None:
    """`local-completions`: answers are generated; a real engine also scores given ones by their log-probabilities."""
    cases = place.folder / "cases.jsonl"
    cases.write_text("".join(json.dumps(case) + "\n" for case in CASES))
    told: dict[str, Any] = {
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(cases)}},
        "test_split": "test",
        "doc_to_text": "{{question}}",
    }
    generates: dict[str, Any] = {
        "output_type": "generate_until",
        "doc_to_target": "{{answer}}",
        "metric_list": [{"metric": "exact_match"}],
    }
    generates |= {"generation_kwargs": {"until": ["\n"], "max_gen_toks": 8}}
    scores: dict[str, Any] = {"output_type": "multiple_choice", "doc_to_choice": ["a", "b"], "doc_to_target": 0}
    tasks = {"gateway_generates": generates} | ({"gateway_scores": scores} if place.real else {})
    for name, task in tasks.items():
        (place.folder / f"{name}.yaml").write_text(yaml.safe_dump({"task": name, **told, **task}))
    model = f"base_url={place.url}/v1/completions,model={place.model},num_concurrent=2,max_length=256"
    ran(
        *(program("lm_eval"), "run", "--model", "local-completions", "--include_path", str(place.folder)),
        *("--model_args", f"{model},tokenizer_backend=huggingface,tokenizer={TOKENIZER}"),
        *("--tasks", ",".join(tasks), "--output_path", str(place.folder / "lm-eval")),
    )
    found = [json.loads(one.read_text()) for one in (place.folder / "lm-eval").rglob("results_*.json")]
    expect(bool(found) and found[0]["results"].keys() == tasks.keys(), "it has no results for its tasks")


CLIENTS: dict[str, Callable[[Place], None]] = {
    "curl": curl,
    "openai": official,
    "guidellm": guidellm,
    "lm-eval": lm_eval,
}


def program(name: str) -> str:
    found = paths.CACHE / "clients-venv" / "bin" / name
    if not found.exists():
        raise Refused(f"{found} is not installed: run lab/install clients")
    return str(found)


def ran(*command: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - the commands above
            command, capture_output=True, text=True, timeout=SECONDS, check=False, env=os.environ | ENVIRONMENT
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"not done after {SECONDS} s") from None
    if done.returncode:
        raise Failed(f"exit code {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stdout


def expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Failed(otherwise)


@contextlib.contextmanager
def served(module: str, settings: dict[str, Any], port: int, log: Path) -> Iterator[str]:
    """The URL of a server of ours, once it listens on its port."""
    env = os.environ | {f"SLUICE_{name}": str(value) for name, value in settings.items()}
    with log.open("wb") as out:
        line = [sys.executable, "-m", module]
        child = subprocess.Popen(line, cwd=ROOT, env=env, stdout=out, stderr=out)  # noqa: S603 - a module of ours
        try:
            engines.listening(port, START_SECONDS)
            yield f"http://127.0.0.1:{port}"
        finally:
            engines.end(child)


def gateway(model: str, engine: str, log: Path) -> contextlib.AbstractContextManager[str]:
    """A gateway as it is shipped, in front of one engine."""
    port = running.free_port()
    return served("app", {"PORT": port, "STABLE_URLS": engine, "MODEL_NAME": model}, port, log)


def fake(model: str, log: Path) -> contextlib.AbstractContextManager[str]:
    port = running.free_port()
    return served("lab.engine", {"ENGINE_PORT": port, "MODEL_NAME": model}, port, log)


def tried(place: Place) -> int:
    """Exit code; a line for each client."""
    code = 0
    for name, client in CLIENTS.items():
        began, said = time.monotonic(), "ok"
        try:
            client(place)
        except (Failed, openai.OpenAIError) as error:
            code, said = 1, f"failed: {error}"
        print(f"{name:10} {time.monotonic() - began:6.1f} s  {said}", flush=True)  # noqa: T201
    return code


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m lab.clients", description=__doc__)
    parser.add_argument("--real", action="store_true", help="in front of the real vLLM, not of the fake engine")
    real = parser.parse_args().real
    model = pin.load(pin.DEFAULT).served_name
    try:
        for needed in ("guidellm", "lm_eval"):
            program(needed)
        with tempfile.TemporaryDirectory(prefix="sluice-clients-") as name:
            folder = Path(name)
            log = folder / "engine.log"
            python = running.environment_of(paths.CACHE) if real else Path()
            engine = running.engine(TOKENIZER, python, log) if real else fake(model, log)
            with engine as url, gateway(model, url, folder / "gateway.log") as door:
                return tried(Place(door, model, folder, real))
    except (LabError, PerfError, running.EngineError) as error:
        print(f"clients: {error}", file=sys.stderr)  # noqa: T201
        return getattr(error, "code", 1)


if __name__ == "__main__":
    sys.exit(main())
