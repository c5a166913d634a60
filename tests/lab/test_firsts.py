from types import SimpleNamespace
from typing import Any

import pytest
from ruamel.yaml import YAML

from lab import firsts, paths, standin
from lab.linters import HEX, IMAGE
from lab.process import run
from release.audit import Entry, write
from tests.lab.test_deliveries import place
from tests.release.team import Team


def test_the_engine_of_a_broken_first_install_ends_at_once() -> None:
    with pytest.raises(SystemExit):
        standin.options(["--port=8000", firsts.WRONG])


def test_a_first_install_that_is_never_ready_is_over_within_a_scene() -> None:
    given = f"release.version=v1.0.0,release.images.gateway={IMAGE},release.images.engine={IMAGE}"
    model = f"release.model.id=m,release.model.revision=r,release.model.sha256={HEX},release.gates={HEX}"
    seconds = ",".join(f"engine.{key}={value}" for key, value in firsts.SECONDS.items())
    words = ["llm", str(paths.ROOT / "charts/llm"), "--values", str(paths.ROOT / "environments/lab/values.yaml")]
    text = run(paths.BIN / "helm", "template", *words, "--set", given, "--set", model, "--set", seconds)
    found = [one for one in YAML(typ="safe", pure=True).load_all(text) if one and one["kind"] == "Rollout"]
    [engine] = [one for one in found if one["metadata"]["name"] == "llm-engine"]
    assert engine["spec"]["progressDeadlineSeconds"] == 20
    assert engine["spec"]["progressDeadlineAbort"] is True


def test_the_verdicts_of_the_first_install_are_read_from_the_log(team: Team) -> None:
    write(team.history, Entry(firsts.FIRST, firsts.VERSION, "verdict", verdict="aborted"))
    write(team.history, Entry(firsts.FIRST, firsts.VERSION, "recorded"))
    write(team.history, Entry("staging", firsts.VERSION, "verdict", verdict="promoted"))
    site: Any = SimpleNamespace(office=place(team).office)
    assert [one.verdict for one in firsts.verdicts(site)] == ["aborted"]
