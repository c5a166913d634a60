import os
import shutil
import socket
from typing import Any

import pytest

from lab import checks, node
from lab.errors import Refused


def test_a_missing_root_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(Refused, match=r"needs root .* run it with sudo"):
        checks.before_start()


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(Refused, match=f"port {port} on 127.0.0.1 is taken"):
            checks.free_port(port)
    checks.free_port(port)


def test_too_little_disk_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    usage: Any = shutil.disk_usage("/")._replace(free=2**30)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

    with pytest.raises(Refused, match=r"1\.0 GiB free, the lab needs 4"):
        checks.disk()


def test_too_little_memory_is_named() -> None:
    with pytest.raises(Refused, match="of memory are available, 10000 are needed"):
        checks.memory(10_000)


def test_only_what_kubernetes_wrote_is_taken_for_its_rules() -> None:
    others = "*filter\n:INPUT ACCEPT [0:0]\n{}-A INPUT -p tcp -j ACCEPT\nCOMMIT"
    save = others.format(":KUBE-FORWARD - [0:0]\n-A INPUT -j KUBE-FORWARD\n")

    assert node.kube_chains(save) == ":KUBE-FORWARD - [0:0]\n-A INPUT -j KUBE-FORWARD"
