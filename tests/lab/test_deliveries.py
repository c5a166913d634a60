import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab import deliveries, fault, paths, standin
from lab.errors import NotReady
from lab.gated import GATED
from lab.holds import HOLDS
from lab.mishaps import MISHAPS
from lab.restores import RESTORES
from lab.returns import RETURNS
from model import pin
from release.write import path_of
from tests.release.team import Team, release_text


def place(team: Team) -> Any:
    def text(path: str) -> str:
        team.history.fetch()
        return team.history.text(team.history.main, path) or ""

    return SimpleNamespace(office=SimpleNamespace(text=text, desk=team.history))


def test_every_scene_says_what_is_expected_of_it() -> None:
    scenes = (*deliveries.DELIVERIES, *RETURNS, *MISHAPS, *HOLDS, *GATED, *RESTORES)
    assert all((scene.__doc__ or "").strip().endswith(".") for scene in scenes)
    assert len({scene.__name__ for scene in scenes}) == len(scenes)


def test_a_bad_commit_reaches_the_engines_command_line(tmp_path: Path) -> None:
    office = SimpleNamespace(text=lambda path: (paths.ROOT / path).read_text())
    site: Any = SimpleNamespace(office=office)
    [(path, text)] = deliveries.relaunched(site, f"'--faults={json.dumps(deliveries.FAULTS)}'").items()
    (tmp_path / "model.yaml").write_text(text)
    args = pin.load(tmp_path / "model.yaml").args
    given = standin.options(list(args))
    [planned] = fault.plan_of(given.faults)
    assert (planned.source, planned.do) == ("user", "http_500")
    assert path == "model/model.yaml"
    assert pin.load(tmp_path / "model.yaml").sha256 == pin.load(pin.chosen()).sha256


def test_what_git_names_is_read_from_the_released_branch(team: Team) -> None:
    assert deliveries.engine_of(place(team), "staging") == ""
    team.push("chore: release", {path_of("staging"): release_text("v1.0.0")})
    assert "@sha256:" in deliveries.engine_of(place(team), "staging")


def test_the_load_test_and_nothing_else_is_taken_out_of_the_release() -> None:
    before = (paths.ROOT / deliveries.RELEASE).read_text()
    [after] = deliveries.unloaded(before).values()
    gone = [line for line in before.splitlines() if line not in after.splitlines()]
    assert next(line.split("#")[0].strip() for line in gone) == "- run: make perf"
    assert "make sign" in after
    assert "make candidate" in after
    assert len(before.splitlines()) - len(after.splitlines()) <= 3
    with pytest.raises(NotReady):
        deliveries.unloaded(after)


def by_hand(codes: dict[str, int], tmp_path: Path) -> tuple[Any, list[str]]:
    """A site that notes what a person does, each command of which ends with a code."""
    done: list[str] = []

    def sluice(*words: str) -> tuple[int, str]:
        done.append(" ".join(words))
        return codes.get(words[0], 0), f"{words[0]}: refused"

    def image(target: str, source: Any, arguments: Any) -> str:
        return f"r/{target}@{source.commit}"

    def deployed(environment: str) -> Any:
        done.append(f"deploy {environment}")
        return SimpleNamespace(green=not codes.get("deploy", 0))

    def wait(environment: str, version: str, verdict: str, seconds: float, part: str) -> str:
        return f"{environment} {version} {verdict} {seconds:.0f} {part}"

    desk = SimpleNamespace(git=lambda *words: "", main="main")
    office = SimpleNamespace(sluice=sluice, clone=lambda tip: tmp_path, desk=desk, logs=tmp_path)
    rest = {"yard": SimpleNamespace(image=image), "base": SimpleNamespace(arguments={}), "signer": "s"}
    return SimpleNamespace(office=office, bell=SimpleNamespace(wait=wait), deployed=deployed, **rest), done


def test_a_release_by_hand_is_built_signed_recorded_and_handed_over(tmp_path: Path) -> None:
    site, done = by_hand({}, tmp_path)
    images = deliveries.signed(site, "v2.0.0", "abc", {"engine": "r/engine@old"})
    told = deliveries.released(site, "dev", "v2.0.0", images, part="gateway")

    assert images == {"gateway": "r/gateway@abc", "engine": "r/engine@old"}
    assert told == "dev v2.0.0 promoted 240 gateway"
    assert done == [
        "sign --version v2.0.0 r/gateway@abc r/engine@old --key s/cosign.key",
        "record dev --version v2.0.0 --gateway r/gateway@abc --engine r/engine@old",
        "deploy dev",
    ]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("sign", "of v2.0.0 were not signed: sign: refused"),
        ("record", "not handed over"),
        ("deploy", "not handed over"),
    ],
)
def test_a_release_by_hand_that_fails_is_not_waited_for(tmp_path: Path, command: str, said: str) -> None:
    site, _ = by_hand({command: 1}, tmp_path)
    with pytest.raises(NotReady, match=said):
        deliveries.released(site, "dev", "v2.0.0", deliveries.signed(site, "v2.0.0", "abc", {}))
