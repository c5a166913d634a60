from pathlib import Path

import pytest
from ruamel.yaml import YAML

from rollouts import generate
from rollouts.gates import PATH, load


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    generate.write(generate.files(load()), tmp_path)
    return tmp_path


def test_what_is_committed_is_what_gates_yaml_says():
    assert generate.stale(generate.files(load())) == []


def test_check_accepts_what_was_written(tree):
    assert generate.main(["--check"], tree) == 0


@pytest.mark.parametrize(
    "name", ["rollouts/analysis/bad-share.yaml", "monitoring/rules/evidence.yaml", "monitoring/dashboards/sluice.json"]
)
def test_check_names_a_file_that_was_edited_or_removed(tree, capsys, name):
    (tree / name).write_text((tree / name).read_text() + " ")
    assert generate.main(["--check"], tree) == 1
    assert capsys.readouterr().err.startswith(f"{name}: differs from gates.yaml: run ")
    (tree / name).unlink()
    assert generate.main(["--check"], tree) == 1


def test_check_changes_nothing(tree):
    path = tree / "rollouts/analysis/bad-share.yaml"
    path.write_text("edited")
    generate.main(["--check"], tree)
    assert path.read_text() == "edited"


def test_a_template_that_gates_yaml_no_longer_knows_is_noticed_and_removed(tree):
    stranger = tree / "rollouts/analysis/slow-everything.yaml"
    stranger.write_text("kind: AnalysisTemplate")
    assert generate.main(["--check"], tree) == 1
    assert generate.main([], tree) == 0
    assert not stranger.exists()


def test_a_gates_yaml_that_cannot_be_used_is_one_line_and_its_own_exit_code(tmp_path, tree, capsys):
    path = tmp_path / "gates.yaml"
    path.write_text(PATH.read_text().replace("tolerated: 0.01", "tolerated: 7", 1))
    assert generate.main(["--gates", str(path)], tree) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "gates.bad-share.tolerated" in said


def test_a_new_gate_is_a_few_lines_of_data(tmp_path, promtool):
    """Four lines in gates.yaml give templates, rules that promtool takes, and a verdict."""
    path = tmp_path / "gates.yaml"
    new = (
        "  slow-tpot:\n"
        '    bad: sluice_slow_total{kind="tpot"}\n'
        '    unmeasured: sluice_unmeasured_requests{kind="tpot"}\n'
        "    tolerated: 0.01\n"
        "    unacceptable: 0.05\n"
    )
    path.write_text(PATH.read_text().replace("gates:\n", f"gates:\n{new}", 1))
    made = generate.files(load(path))
    assert {"rollouts/analysis/slow-tpot.yaml", "rollouts/analysis/slow-tpot-watch.yaml"} <= set(made)
    at = 'rollout="demo/llm-engine", release="v2.0.0-r2", source="user"'
    series = {}
    for arm, started in (("canary", 40), ("stable", 900)):
        labels = f'{at}, step="5", arm="{arm}"'
        series |= {
            f"sluice_started_total{{{labels}}}": f"{started}x60",
            f'sluice_requests_total{{{labels}, outcome="ok"}}': f"{started}x60",
            f'sluice_requests_total{{{labels}, outcome="prompt"}}': "0x60",
            f'sluice_unmeasured_requests{{{labels}, kind="tpot"}}': "0x60",
            f'sluice_slow_total{{{labels}, kind="tpot"}}': f"{20 if arm == 'canary' else 0}x60",
        }
    promtool.rules = made["monitoring/rules/evidence.yaml"]
    assert not promtool.differences(series, {'sum(sluice:gate_verdict{gate="slow-tpot"})': -1})


def test_every_generated_file_says_where_it_comes_from():
    for name, text in generate.files(load()).items():
        assert name.endswith(".json") or text.startswith("# Generated from rollouts/gates.yaml")


def test_a_template_is_named_like_its_file():
    for name, text in generate.files(load()).items():
        if name.startswith("rollouts/analysis/"):
            assert YAML(typ="safe").load(text)["metadata"]["name"] == Path(name).stem
