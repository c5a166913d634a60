import os
import subprocess
import sys

from lab import paths

ASK = "from lab import paths; print(paths.STATE, paths.KUBECONFIG, paths.REGISTRY, paths.PROMETHEUS_INSIDE)"


def told(**environ: str) -> list[str]:
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(paths.ROOT), **environ}
    done = subprocess.run([sys.executable, "-c", ASK], env=environ, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_the_lab_of_this_machine_has_addresses_of_its_own() -> None:
    state, kubeconfig, registry, prometheus = told(KUBECONFIG="/elsewhere", REGISTRY="registry.example")

    assert kubeconfig == f"{state}/kubeconfig"
    assert registry.startswith("127.0.0.1:")
    assert prometheus.startswith("http://127.0.0.1:")


def test_an_existing_cluster_is_the_one_that_is_named() -> None:
    state, kubeconfig, registry, prometheus = told(LAB="existing", KUBECONFIG="/elsewhere", REGISTRY="registry.example")

    assert state != told()[0]
    assert (kubeconfig, registry) == ("/elsewhere", "registry.example")
    assert prometheus.startswith("http://prometheus.sluice-lab:")


def test_a_state_folder_that_is_named_is_taken() -> None:
    assert told(SLUICE_STATE="/srv/other")[0] == "/srv/other"


def test_no_two_parts_take_the_same_port() -> None:
    ports = [value for name, value in vars(paths).items() if name.endswith("_PORT")]

    assert len(ports) == len(set(ports)) > 5
