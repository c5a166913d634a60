"""Where alerts go: asked of amtool, and of a real Alertmanager that posts to a webhook of the test."""

import json
import shutil
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from model.running import free_port

CONFIG = Path(__file__).parents[2] / "monitoring/alertmanager.yaml"
URL_FILE = "/etc/alertmanager/slack-url"


def amtool(*arguments: str) -> str:
    done = subprocess.run(["amtool", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def test_amtool_accepts_the_file():
    assert "SUCCESS" in amtool("check-config", str(CONFIG))


@pytest.mark.parametrize("alert", ["HighErrorRate", "LlmCanaryAborted", "Watchdog", "AnAlertOfTheFork"])
def test_every_alert_is_routed_to_slack(alert):
    assert amtool("config", "routes", "test", f"--config.file={CONFIG}", f"alertname={alert}") == "slack"


def test_the_webhooks_url_comes_from_a_file_and_resolved_alerts_are_sent_too():
    (slack,) = YAML(typ="safe").load(CONFIG)["receivers"][0]["slack_configs"]
    assert slack["api_url_file"] == URL_FILE
    assert slack["send_resolved"] is True
    assert "api_url" not in slack


def test_the_watchdog_is_repeated_once_a_day():
    (watchdog,) = YAML(typ="safe").load(CONFIG)["route"]["routes"]
    assert watchdog["repeat_interval"] == "24h"


class Slack(HTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Hook)
        self.messages: list[dict] = []


class Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.messages.append(json.loads(body))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def slack() -> Iterator[Slack]:
    server = Slack()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def alertmanager(tmp_path: Path, slack: Slack) -> Iterator[str]:
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        pytest.skip("no alertmanager on PATH: apt-get install prometheus-alertmanager")
    (tmp_path / "slack-url").write_text(f"http://127.0.0.1:{slack.server_port}/services/x")
    config = CONFIG.read_text().replace(URL_FILE, str(tmp_path / "slack-url"))
    config = config.replace("group_wait: 10s", "group_wait: 1s").replace("group_interval: 1m", "group_interval: 1s")
    (tmp_path / "am.yaml").write_text(config)
    address = f"127.0.0.1:{free_port()}"
    running = subprocess.Popen(
        [
            program,
            f"--config.file={tmp_path}/am.yaml",
            f"--storage.path={tmp_path}/data",
            f"--web.listen-address={address}",
            "--cluster.listen-address=",
        ],
        stderr=subprocess.DEVNULL,
    )
    yield f"http://{address}"
    running.terminate()
    running.wait(timeout=10)


def post(url: str, alerts: list[dict]) -> None:
    body, kind = json.dumps(alerts).encode(), {"content-type": "application/json"}
    request = urllib.request.Request(f"{url}/api/v2/alerts", body, kind)
    for _ in range(600):
        try:
            urllib.request.urlopen(request, timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("alertmanager did not take the alerts")


def wait_for(slack: Slack, number: int) -> list[dict]:
    for _ in range(150):
        if len(slack.messages) >= number:
            return slack.messages
        time.sleep(0.1)
    pytest.fail(f"{len(slack.messages)} of {number} messages came")


def test_slack_is_told_once_per_group_and_again_when_it_is_over(alertmanager, slack):
    alerts = [
        {
            "labels": {"alertname": "LlmMetricsMissing", "namespace": "demo", "pod": pod, "severity": "critical"},
            "annotations": {
                "summary": f"No metrics from {pod}",
                "description": f"{pod} gave none for 2m.",
                "runbook_url": "https://example.org/LlmMetricsMissing.md",
            },
        }
        for pod in ("a", "b")
    ]
    post(alertmanager, alerts)
    (fired,) = wait_for(slack, 1)[0]["attachments"]
    assert fired["title"] == "FIRING (2): LlmMetricsMissing"
    assert "No metrics from a" in fired["text"]
    assert "b gave none for 2m." in fired["text"]
    assert "https://example.org/LlmMetricsMissing.md" in fired["text"]
    assert fired["color"] == "danger"
    over = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    post(alertmanager, [alert | {"startsAt": "2024-01-01T00:00:00Z", "endsAt": over} for alert in alerts])
    (resolved,) = wait_for(slack, 2)[1]["attachments"]
    assert resolved["title"] == "RESOLVED: LlmMetricsMissing"
    assert resolved["color"] == "good"
