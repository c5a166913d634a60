"""promtool as a fixture: rules and counters in, what PromQL makes of them out."""

import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from rollouts.gates import Gates, load

RULES = Path(__file__).parents[2] / "monitoring/rules/evidence.yaml"


@dataclass
class Promtool:
    folder: Path
    rules: str = field(default_factory=RULES.read_text)

    def differences(self, series: dict[str, str], expected: dict[str, float | None], at: str = "1m") -> str:
        """What promtool says of expressions that do not have the value expected; None expects no sample."""
        tests = [
            {"expr": expr, "eval_time": at, "exp_samples": [] if value is None else [{"labels": "{}", "value": value}]}
            for expr, value in expected.items()
        ]
        inputs = [{"series": name, "values": values} for name, values in series.items()]
        test = {"interval": "15s", "input_series": inputs, "promql_expr_test": tests}
        (self.folder / "rules.yaml").write_text(self.rules)
        YAML().dump(
            {"rule_files": ["rules.yaml"], "evaluation_interval": "15s", "tests": [test]}, self.folder / "t.yaml"
        )
        done = subprocess.run(["promtool", "test", "rules", self.folder / "t.yaml"], capture_output=True, text=True)
        return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.fixture
def gates() -> Gates:
    return load()


@pytest.fixture
def promtool(tmp_path: Path) -> Promtool:
    if shutil.which("promtool") is None:
        pytest.fail("promtool is not on PATH: apt-get install prometheus")
    return Promtool(tmp_path)
