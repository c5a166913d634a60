"""`python -m lab.terraform [ROOT]`: infrastructure/ is formatted, linted, within policies; each check is seen to fire.

What needs the providers, which are had from their registry alone, is in lab/plan.py.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from lab import paths, tools
from lab.errors import LabError

CHECKOV = paths.CACHE / "checkov"
# Each is written into a copy, and must be found there: (file, what stands there, what is written instead, said by).
PLANTED = (
    ("aws/registry.tf", "scan_on_push = true", "scan_on_push = false", "CKV_AWS_163"),
    ("aws/registry.tf", '"IMMUTABLE"', '"MUTABLE"', "CKV_AWS_51"),
    ("aws/registry.tf", "enable_key_rotation     = true", "enable_key_rotation     = false", "CKV_AWS_7"),
    ("aws/variables.tf", 'variable "cluster"', 'variable "clusters"', "terraform_unused_declarations"),
    ("cluster/variables.tf", "  type        = string", "  type = string", "cluster/variables.tf"),
)
UNREADABLE = (
    "cluster/example.tfvars",
    "subjects = [",
    "subjects = [[",
    "cluster/example.tfvars",
)  # tofu reads no further


def formatted(folder: Path) -> str:
    """The files that do not parse, or stand as tofu's own formatter would not write them; empty when none."""
    return said([str(paths.BIN / "tofu"), "fmt", "-check", "-recursive", "-no-color", str(folder)])


def lints(folder: Path) -> str:
    """What tflint finds by the rules of .tflint.hcl there; empty when that is nothing."""
    words = [str(paths.BIN / "tflint"), f"--chdir={folder}", "--recursive", f"--config={folder}/.tflint.hcl"]
    return said([*words, "--no-color"])


def policies(folder: Path) -> str:
    """What checkov finds; empty when that is nothing."""
    words = [str(CHECKOV / "bin/checkov"), "--directory", str(folder), "--framework", "terraform", "--compact"]
    return said([*words, "--quiet", "--skip-download"])


def said(words: list[str]) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=os.environ | {"NO_COLOR": "1"})  # noqa: S603
    return f"{done.stdout}{done.stderr}".strip() if done.returncode else ""


def findings(folder: Path) -> dict[str, str]:
    found = {"tofu fmt": formatted(folder), "tflint": lints(folder), "checkov": policies(folder)}
    return {name: text for name, text in found.items() if text}


def silent(folder: Path) -> list[str]:
    """The planted faults that no check has found: a check that cannot fail proves nothing."""
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / "infrastructure"
        shutil.copytree(folder, copy)
        plant(copy, *PLANTED)
        heard = "\n".join(findings(copy).values())
        plant(copy, UNREADABLE)
        heard += formatted(copy)
    return [f"{file}: {bad.strip()}" for file, _, bad, name in (*PLANTED, UNREADABLE) if name not in heard]


def plant(copy: Path, *faults: tuple[str, str, str, str], kept: str = "lab/terraform.py") -> None:
    """Raises LabError where a fault, of the file where they are `kept`, no longer fits what stands there."""
    for file, good, bad, _ in faults:
        text = (copy / file).read_text()
        if good not in text:
            raise LabError(f"{file}: holds no {good!r}; correct {kept}")
        (copy / file).write_text(text.replace(good, bad))


def main() -> int:
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else paths.ROOT
    try:
        tools.ensure(lambda line: print(line, flush=True), ["tflint", "tofu"])  # noqa: T201
        folder = root / "infrastructure"
        found = findings(folder) or {f"planted, and not found: {one}": "" for one in silent(folder)}
    except LabError as error:
        print(f"terraform: {error}", file=sys.stderr)  # noqa: T201
        return error.code
    for name, text in found.items():
        print(f"{name}:\n{text}", file=sys.stderr)  # noqa: T201
    if not found:
        print(f"infrastructure/: formatted, linted, policies kept; {len(PLANTED) + 1} planted faults were found")  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
