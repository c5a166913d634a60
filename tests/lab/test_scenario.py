from pathlib import Path

import pytest

from lab import scenario
from lab.errors import Refused

GOOD = "name: one\nsays: something\nexpected: {verdict: promoted, max_weight: 100}\n"
OWN = Path(__file__).parent.parent / "e2e/scenarios"


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def test_the_repositorys_own_scenarios_are_valid() -> None:
    assert {one.tier for one in scenario.load(OWN)} == {"fake", "real"}


def test_a_scenario_is_read_with_its_defaults(tmp_path: Path) -> None:
    (only,) = scenario.load(written(tmp_path, one=GOOD))

    assert (only.tier, only.strategy, only.long, only.faults) == ("fake", "canary", False, [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD + "speed: 3\n", "one.yaml: speed: Extra inputs are not permitted"),
        (GOOD + "faults: [{do: explode}]\n", "one.yaml: faults.0.do"),
        (GOOD + "rate: 100000\n", "one.yaml: rate: Input should be less than or equal to 200"),
        (GOOD + "faults: [\n", "one.yaml: is not YAML"),
        ("says: no name\n", "one.yaml: name: Field required"),
    ],
)
def test_bad_input_is_refused_naming_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Refused) as refusal:
        scenario.load(written(tmp_path, one=text))

    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_two_scenarios_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="two scenarios are named one"):
        scenario.load(written(tmp_path, a=GOOD, b=GOOD))


def test_a_folder_without_scenarios_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no scenario files"):
        scenario.load(tmp_path)
