"""Ports of this machine that lead to Services of a cluster whose nodes are elsewhere."""

import urllib.error
import urllib.request
from collections.abc import Callable

from lab import paths, programs
from lab.process import Program


def name(namespace: str, service: str) -> str:
    return f"forward-{namespace}-{service}"


def program(service: str, namespace: str, port: int, target: int) -> Program:
    """`kubectl port-forward` to one pod behind the Service."""
    command = [programs.binary("kubectl"), "--kubeconfig", str(paths.KUBECONFIG), "port-forward", "-n", namespace]
    command += [f"service/{service}", f"{port}:{target}", "--address=127.0.0.1"]
    return Program(name(namespace, service), command, reached(port))


def reached(port: int) -> Callable[[], bool]:
    """Whether something at the other end speaks HTTP, whatever it says."""

    def ready() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2):
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False

    return ready
