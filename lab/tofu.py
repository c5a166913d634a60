"""OpenTofu in one folder: a copy, because what it downloads and its state lie beside the code."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab import paths
from lab.errors import NotReady

SECONDS = 300
CHANGES = 2  # `plan -detailed-exitcode` when something is to be done


@dataclass(frozen=True)
class Tofu:
    folder: Path
    variables: Mapping[str, object] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, str]:
        """For tofu, and for Helm in its provider, which would keep charts in the user's home."""
        helm = {f"HELM_{kind}_HOME": str(self.folder / ".helm") for kind in ("CACHE", "CONFIG", "DATA")}
        return {"TF_IN_AUTOMATION": "1", "TF_CLI_ARGS": "-no-color"} | helm

    def run(self, *words: str, good: tuple[int, ...] = (0,)) -> "subprocess.CompletedProcess[str]":
        """Raises NotReady with what tofu says is wrong."""
        told = {f"TF_VAR_{name}": given(value) for name, value in self.variables.items()}
        done = subprocess.run(  # noqa: S603 - the lab's own
            [str(paths.BIN / "tofu"), f"-chdir={self.folder}", *words],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            env=os.environ | told | self.settings,
        )
        if done.returncode not in good:
            raise NotReady(f"tofu {words[0]} in {self.folder.name}: {errors(done.stderr) or done.returncode}")
        return done

    def init(self, plugins: str) -> None:
        """With providers from their registry, or from a folder (a filesystem mirror) where that is away."""
        self.run("init", "-input=false", *([f"-plugin-dir={plugins}"] if plugins else []))

    def wrong(self, *words: str) -> str:
        """What tofu says against it; empty when nothing."""
        try:
            self.run(*words)
        except NotReady as error:
            return str(error)
        return ""

    def planned(self) -> dict[str, list[str]]:
        """What an apply would do, by address."""
        self.run("plan", "-input=false", "-out=plan")
        shown = self.run("show", "-json", "plan").stdout.splitlines()[-1]  # after what it has to say of its settings
        changes = json.loads(shown).get("resource_changes", [])
        return {one["address"]: one["change"]["actions"] for one in changes if one["change"]["actions"] != ["no-op"]}

    def apply(self) -> None:
        self.run("apply", "-input=false", "-auto-approve")

    def destroy(self) -> None:
        self.run("destroy", "-input=false", "-auto-approve")


def given(value: object) -> str:
    """As tofu reads a variable from its environment: text as it is, all else as an expression."""
    return value if isinstance(value, str) else json.dumps(value)


def errors(text: str) -> str:
    """The errors of tofu's boxes, in one line."""
    lines = [line.lstrip("╷│╵ ").strip() for line in text.splitlines()]
    whole = " ".join(line for line in lines if line)
    return whole[whole.find("Error:") :][:500] if "Error:" in whole else whole[-500:]
