"""`make existing`: LAB=existing proven on a cluster that has nothing of ours in it."""

import os
import subprocess
import sys

from lab import cluster, paths
from lab.e2e import say
from lab.errors import LabError
from lab.programs import kubectl

SCENARIOS = "tests/e2e/existing"
KINDS = "namespaces,customresourcedefinitions,clusterroles,clusterrolebindings"
STEPS = (("lab", "up"), ("lab.e2e", SCENARIOS))
LAST = ("lab", "down")


def main() -> int:
    try:
        cluster.up(say, bare=True)
        return proved()
    except LabError as error:
        print(f"existing: {error}", file=sys.stderr)  # noqa: T201
        return error.code


def proved() -> int:
    """0 when every step succeeded and the cluster is afterwards as it was found."""
    before = objects()
    code = next((code for words in STEPS if (code := step(*words))), 0)
    code = step(*LAST) or code
    left = sorted(objects() - before)
    say(f"left in the cluster: {', '.join(left) or 'nothing'}")
    return code or (1 if left else 0)


def objects() -> set[str]:
    """What there is that belongs to no namespace, and the namespaces."""
    return set(kubectl("get", KINDS, "-o", "name").split())


def step(module: str, word: str) -> int:
    """One command as its user runs it, on the bare cluster as if it were somebody else's."""
    say(f"$ LAB=existing python -m {module} {word}")
    given = {"LAB": "existing", "KUBECONFIG": str(paths.KUBECONFIG), "REGISTRY": paths.REGISTRY}
    command = [sys.executable, "-m", module, word]
    return subprocess.run(command, cwd=paths.ROOT, env={**os.environ, **given}, check=False).returncode  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
