from pathlib import Path

import pytest

from perf import hardware


def test_a_machine_without_a_gpu_is_a_cpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("PERF_HARDWARE", raising=False)

    assert hardware.hardware() == "cpu"
    assert hardware.settings(3)["OMP_NUM_THREADS"] == "3"
    assert hardware.arguments() == ("--distributed-executor-backend=uni",)


def test_a_gpu_has_the_name_that_its_driver_gives_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\necho NVIDIA L4\necho NVIDIA L4\n")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.delenv("PERF_HARDWARE", raising=False)

    assert hardware.hardware() == "NVIDIA L4"
    assert hardware.settings(3) == {}
    assert "--gpu-memory-utilization=0.45" in hardware.arguments()


def test_a_name_that_is_given_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERF_HARDWARE", "NVIDIA H200")

    assert hardware.hardware() == "NVIDIA H200"
