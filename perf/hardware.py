"""What an engine runs on here, and how two of them share it."""

import contextlib
import os
import subprocess

CPU = "cpu"
# what a workflow's owner can do about an engine that its machine cannot run
WAYS = "set the repository variable GPU_RUNNER to a runner that has one, or ENGINE_BASE to a vLLM image for the CPU"
# vLLM's worker process spins for a second after every batch: two engines on one core would measure each other
CPU_SETTINGS = {
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "OMP_WAIT_POLICY": "PASSIVE",
}
CPU_ARGUMENTS = ("--distributed-executor-backend=uni",)
GPU_ARGUMENTS = ("--gpu-memory-utilization=0.45",)  # the live release's engine and the candidate's on one GPU


def hardware() -> str:
    """The GPU's name, as gates.yaml would give it; PERF_HARDWARE where there is no nvidia-smi."""
    if named := os.environ.get("PERF_HARDWARE"):
        return named
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        ask = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        return subprocess.run(ask, capture_output=True, text=True, check=True).stdout.splitlines()[0].strip()  # noqa: S603
    return CPU


def settings(cores: int) -> dict[str, str]:
    return CPU_SETTINGS | {"OMP_NUM_THREADS": str(cores)} if hardware() == CPU else {}


def arguments() -> tuple[str, ...]:
    """For the engine's own command line."""
    return CPU_ARGUMENTS if hardware() == CPU else GPU_ARGUMENTS
