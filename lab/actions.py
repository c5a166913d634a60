"""What a scenario does to the lab itself while a release goes on."""

import signal
import subprocess
import time
from collections.abc import Callable

from lab import process, programs
from lab.errors import NotReady
from lab.observers import prometheus_answer
from lab.programs import kubectl
from lab.scenario import Action
from lab.stage import Stage


def kill_controller(stage: Stage, seconds: float) -> None:
    """End the Rollouts controller with -9 and bring it back after `seconds`."""
    away(programs.argo_rollouts(), seconds)


def stop_api(stage: Stage, seconds: float) -> None:
    """Take the API server away for `seconds`."""
    away(programs.apiserver(), seconds)


def away(program: process.Program, seconds: float) -> None:
    process.stop(program.name, first=signal.SIGKILL)
    time.sleep(seconds)  # the length of the outage is the fault itself
    program.start()
    program.wait()


def hide_metrics(stage: Stage, seconds: float) -> None:
    """Let Prometheus forget the gateway's pods: no gate sees anything from then on."""
    selector = "app.kubernetes.io/component=gateway"
    kubectl("annotate", "pods", "-n", stage.namespace, "-l", selector, "prometheus.io/scrape=false", "--overwrite")
    deadline = time.monotonic() + 30
    while prometheus_answer(f'up{{namespace="{stage.namespace}",component="gateway"}}'):
        if time.monotonic() > deadline:
            raise NotReady("Prometheus still scrapes the gateway 30 s after its pods were taken out")
        time.sleep(0.5)


def abort(stage: Stage, seconds: float) -> None:
    """Stop the release by hand, as a person would."""
    command = stage.sluice("abort", str(stage.environment), "--reason", "stopped by the scenario")
    if command.wait(60):
        raise NotReady(f"sluice abort failed: see {stage.folder}/sluice.log")


DOES: dict[str, Callable[[Stage, float], None]] = {
    "kill-controller": kill_controller,
    "stop-api": stop_api,
    "hide-metrics": hide_metrics,
    "abort": abort,
}


def do(action: Action, stage: Stage) -> None:
    DOES[action.do](stage, action.seconds)


def kill_watcher(watcher: "subprocess.Popen[bytes]", stage: Stage, timeout: float) -> "subprocess.Popen[bytes]":
    """End whoever watches with -9, and pick the release up again with `sluice watch`."""
    watcher.kill()
    watcher.wait()
    return stage.sluice("watch", str(stage.environment), "--timeout", str(int(timeout)))
