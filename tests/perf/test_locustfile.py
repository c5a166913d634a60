import csv
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from locust import Events
from locust.env import Environment

from model.running import free_port
from perf import engine, locustfile
from perf.sample import Sample

LOCUST = [str(Path(sys.executable).with_name("locust")), "-f", "perf/locustfile.py"]
ENV = {name: value for name, value in os.environ.items() if name != "LOCUST_SKIP_MONKEY_PATCH"}


def test_both_kinds_of_user_send_at_their_rate_without_a_page(blank_process: str, tmp_path: Path) -> None:
    line = [
        *LOCUST,
        "--headless",
        "--host",
        blank_process,
        "-u",
        "4",
        "-r",
        "4",
        "-t",
        "2s",
        "--csv",
        str(tmp_path / "run"),
    ]
    done = subprocess.run(line, cwd=engine.ROOT, env=ENV | {"PERF_RATE": "10"}, capture_output=True, text=True)
    rows = list(csv.DictReader((tmp_path / "run_stats.csv").open()))

    assert done.returncode in (0, 7), done.stderr  # 7: this machine was too busy for the schedule, which it says
    assert (done.returncode == 7) == ("not valid: requests left late" in done.stderr)
    asked = {row["Name"]: int(row["Request Count"]) for row in rows if row["Type"] == "e2e"}
    assert set(asked) == {"chat", "predict"}
    assert min(asked.values()) > 0
    assert {row["Type"] for row in rows} >= {"e2e", "TTFT", "TPOT"}
    assert all(row["Failure Count"] == "0" for row in rows)


def test_the_page_offers_both_kinds_of_user(blank_process: str) -> None:
    port = free_port()
    line = [*LOCUST, "--host", blank_process, "--web-host", "127.0.0.1", "--web-port", str(port), "--class-picker"]
    page = subprocess.Popen(line, cwd=engine.ROOT, env=ENV, stderr=subprocess.DEVNULL)
    try:
        engine.listening(port)
        text = fetched(f"http://127.0.0.1:{port}/")
    finally:
        engine.end(page)

    assert "ChatUser" in text
    assert "PredictUser" in text


def fetched(url: str) -> str:
    for _ in range(600):  # it listens a moment before it answers
        try:
            with urllib.request.urlopen(url, timeout=5) as reply:
                return str(reply.read().decode())
        except urllib.error.URLError:
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer")


def test_workers_tell_the_master_how_late_their_requests_left() -> None:
    """Each with an environment of its own; only what lies between them, which is Locust's, is left out."""
    worker, master = (Environment(events=Events()) for _ in range(2))
    for one in (worker, master):
        locustfile.keep_the_delays(one)
    for sent in (0.001, 0.05):
        worker.samples[0](Sample("chat", "chat", "en", 0.0, sent=sent))

    for _ in range(2):  # what was told is not told again
        told: dict[str, Any] = {}
        worker.events.report_to_master.fire(client_id="w", data=told)
        master.events.worker_report.fire(client_id="w", data=told)
    assert master.delays == [0.001, 0.05]

    locustfile.say_when_the_schedule_slipped(master)
    assert master.process_exit_code == locustfile.INVALID
