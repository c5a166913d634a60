"""Write what follows from gates.yaml: `python -m rollouts.generate`; --check writes nothing, fails on a difference."""

import argparse
import io
import json
import sys
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString

from rollouts import alerts, argo, dashboard, rules
from rollouts.gates import PATH, Gates, GatesError, load

ROOT = Path(__file__).parent.parent
HEADER = "# Generated from rollouts/gates.yaml by python -m rollouts.generate: edit that file, not this one.\n"


def files(gates: Gates) -> dict[str, str]:
    """Every generated file: path from the root, text."""
    made = {f"rollouts/analysis/{name}.yaml": text(document) for name, document in argo.templates(gates).items()}
    evidence = {"name": "sluice-evidence", "rules": [rule.document() for rule in rules.evidence_rules(gates)]}
    made["monitoring/rules/evidence.yaml"] = text({"groups": [evidence]})
    made["monitoring/rules/alerts.yaml"] = text({"groups": [{"name": "sluice-alerts", "rules": alerts.rules(gates)}]})
    made["monitoring/dashboards/sluice.json"] = json.dumps(dashboard.document(gates), indent=2) + "\n"
    return made


def text(document: object) -> str:
    yaml = YAML()
    yaml.width = 4096  # a folded expression is hard to read and to compare
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = io.StringIO()
    yaml.dump(blocks(document), out)
    return HEADER + out.getvalue()


def blocks(value: object) -> object:
    """Text of several lines as a literal block."""
    if isinstance(value, dict):
        return {key: blocks(item) for key, item in value.items()}
    if isinstance(value, list):
        return [blocks(item) for item in value]
    return LiteralScalarString(value + "\n") if isinstance(value, str) and "\n" in value else value


def stale(made: dict[str, str], root: Path = ROOT) -> list[str]:
    """Paths that differ from what gates.yaml says, and templates that it no longer knows."""
    changed = [path for path, wanted in made.items() if not same(root / path, wanted)]
    return changed + [str(path.relative_to(root)) for path in strangers(made, root)]


def same(path: Path, wanted: str) -> bool:
    return path.is_file() and path.read_text() == wanted


def strangers(made: dict[str, str], root: Path) -> list[Path]:
    return [path for path in (root / "rollouts/analysis").glob("*.yaml") if str(path.relative_to(root)) not in made]


def write(made: dict[str, str], root: Path = ROOT) -> None:
    for path in strangers(made, root):
        path.unlink()
    for name, content in made.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Exit codes: 0 done or no difference, 1 a difference, 2 gates.yaml cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m rollouts.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    parser.add_argument("--gates", type=Path, default=PATH, help="another gates.yaml")
    options = parser.parse_args(arguments)
    try:
        made = files(load(options.gates))
    except GatesError as error:
        print(error, file=sys.stderr)  # noqa: T201 -- this is a program
        return 2
    if not options.check:
        write(made, root)
        return 0
    changed = stale(made, root)
    for name in changed:
        print(f"{name}: differs from gates.yaml: run python -m rollouts.generate", file=sys.stderr)  # noqa: T201
    return 1 if changed else 0


if __name__ == "__main__":
    raise SystemExit(main())
