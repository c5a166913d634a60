from types import SimpleNamespace
from typing import Any

import pytest

from lab import fault, returns, standin
from lab.errors import NotReady
from lab.timeline import Moment, Timeline


def moment(at: float, weight: int, version: str = "v0.1.0", abort: bool = False) -> Moment:
    return Moment(at, version, "2", weight, 0, "Progressing", abort, "aborted" if abort else "waiting")


@pytest.mark.parametrize("source", ["any", "user"])
def test_spoilt_settings_reach_the_engines_command_line(source: str) -> None:
    [planned] = fault.plan_of(standin.options(returns.spoilt(source)["engine"]["args"]).faults)
    assert (planned.source, planned.share, planned.do) == (source, 0.4, "http_500")


@pytest.mark.parametrize(
    ("moments", "seen"),
    [
        ([moment(5, 100, "v0.2.0"), moment(10, 0), moment(11, 100), moment(15.5, 0, abort=True)], (11, 15.5)),
        ([moment(10, 0), moment(12, 0, abort=True)], (float("inf"), 12)),
    ],
)
def test_a_way_back_is_timed_from_all_traffic_to_none(moments: list[Moment], seen: tuple[float, float]) -> None:
    line = Timeline(None)  # type: ignore[arg-type]
    line.moments = moments
    assert returns.stopped_at(line, "v0.1.0") == seen


def test_a_version_that_prod_has_is_none_that_it_never_had() -> None:
    office = SimpleNamespace(version=lambda name: "v0.2.0", text=lambda path: "release:\n  version: v0.2.0\n")
    site: Any = SimpleNamespace(office=office)
    with pytest.raises(NotReady, match="play gateway_alone before"):
        returns.new_here(site)
