import re
from pathlib import Path

import pytest

from app import outcome
from app.settings import Settings
from rollouts.gates import PATH, GatesError, load, rate


def broken(tmp_path: Path, old: str, new: str) -> str:
    """The error for the repository's file with one thing changed."""
    text = PATH.read_text()
    assert old in text, f"gates.yaml no longer holds {old!r}"
    path = tmp_path / "gates.yaml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(GatesError) as error:
        load(path)
    said = str(error.value)
    assert said.startswith(f"{path}: ")
    assert "\n" not in said
    return said


def test_the_gateway_knows_the_same_outcomes():
    assert set(load().outcomes.bad) == set(outcome.BAD)
    assert set(load().outcomes.not_judged) == set(outcome.NOT_JUDGED)


def test_the_gateway_judges_as_many_requests_per_user():
    assert Settings.model_fields["max_per_user"].default == load().strata.max_per_user


def test_the_file_of_the_repository_is_valid():
    assert load().gates["bad-share"].tolerated == 0.01


@pytest.mark.parametrize(
    ("old", "new", "key", "fix"),
    [
        ("tolerated: 0.01", "tolerable: 0.01", "gates.bad-share.tolerable", "unknown key"),
        ("tolerated: 0.01", "tolerated: 1.5", "gates.bad-share.tolerated", "less than 1"),
        ("tolerated: 0.01", "tolerated: 0", "gates.bad-share.tolerated", "greater than 0"),
        ("tolerated: 0.01", "tolerated: 0.05", "gates.bad-share", "below unacceptable"),
        ("    unacceptable: 0.05\n", "", "gates.bad-share.unacceptable", "missing: add it"),
        ("  slow-ttft:", "  slow-first:", "slow-ttft", "add gates.slow-ttft"),
        ("backstop: #", "backstops: #", "backstops", "unknown key"),
        ("  maxPerUser: 5", "", "strata.maxPerUser", "missing: add it"),
        ("  gate: bad-share", "  gate: other", "other", "add gates.other"),
        ("failAt: 1000", "failAt: 2", "evidence.failAt", "greater than or equal to 20"),
        ('worse: ["1.5"', 'worse: ["0.5"', "evidence", "above 1"),
        ('"1/10"]', '"10"]', "evidence", "between 0 and 1"),
        ('"1/10"]', '"a tenth"]', "evidence", "not a rate"),
        ("notJudged: [client_cancel", "notJudged: [engine_abort", "outcomes", "only one of"),
        ("margins: {bleu", "margins: {blue", "quality.margins", "bleu"),
        ("margins: {bleu: 8", "margins: {bleu: 0", "quality.margins.bleu", "greater than 0"),
        ("  brokenShare: 0.02", "  broken: 0.02", "quality.broken", "unknown key"),
        ("errorLimit: 12", "errorLimit: 1", "analysis.errorLimit", "greater than or equal to 5"),
        ("above: 0.10, ", "", "alerts.HighErrorRate", "needs above"),
        ("  LlmGatesSilent:", "  LlmGatesQuiet:", "LlmGatesSilent", "add alerts.LlmGatesSilent"),
        ("for: 2m", "for: soon", "alerts.HighErrorRate.for", "match pattern"),
    ],
)
def test_an_error_is_one_line_with_key_and_fix(tmp_path, old, new, key, fix):
    said = broken(tmp_path, old, new)
    assert key in said
    assert fix in said


def test_what_is_not_yaml_is_named_with_its_line(tmp_path):
    path = tmp_path / "gates.yaml"
    path.write_text("gates:\n  bad: [\n")
    with pytest.raises(GatesError, match=rf"^{re.escape(str(path))}: line \d+: "):
        load(path)


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "gates.yaml"
    path.write_text("")
    with pytest.raises(GatesError, match="holds no mapping"):
        load(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(GatesError, match=r"nowhere\.yaml: cannot be read"):
        load(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(("text", "value"), [("1.5", 1.5), ("80", 80.0), ("1/3", 1 / 3)])
def test_a_rate_is_a_number_or_a_fraction(text, value):
    assert rate(text) == value
