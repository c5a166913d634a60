from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from perf import session, stats
from perf.sample import Sample
from perf.schedule import Phase
from perf.session import BASELINE, CANDIDATE, FLOOD, STEADY, Knee, Session, between, keeps

URLS = {BASELINE: "http://127.0.0.1:1", CANDIDATE: "http://127.0.0.1:2"}


def answers(phase: Phase, most: float, queued: float = 5.0) -> list[Sample]:
    """An engine that is quick up to a rate, and above it lets its users wait and gives no more."""
    first = 0.05 if phase.rate <= most else queued
    seconds = max(phase.seconds, phase.rate * phase.seconds / most)
    found = [
        Sample(phase.label, "chat", "en", at, first=first, last=first, end=first, tokens=8) for at in phase.arrivals()
    ]
    found[-1].end = seconds - found[-1].intended
    return found


@dataclass
class Fake(Session):
    """Engines that can do `most` requests per second, in no time."""

    most: float = 50.0
    queued: float = 5.0  # seconds until the first token, above that
    asked: list[Phase] = field(default_factory=list)

    def samples(self, phases: Sequence[Phase]) -> list[list[Sample]]:
        self.asked += phases
        return [answers(phase, self.most, self.queued) for phase in phases]


def fake(most: float = 50.0, queued: float = 5.0) -> Fake:
    return Fake(dict(URLS), "m", 512, stats.Slo(1.0, 0.1), [0], say=lambda _: None, most=most, queued=queued)


def test_the_knee_is_the_last_load_that_was_answered_well() -> None:
    run = fake(most=20)
    knee = run.find_knee(ceiling=1000)

    assert knee == Knee(pytest.approx(6 * 1.7**2), found=True)
    assert [one.label for one in run.steps[:2]] == [BASELINE, CANDIDATE]
    assert run.asked[0].seed == run.asked[1].seed  # the same prompts at the same moments


@pytest.mark.parametrize(("queued", "found"), [(0.11, True), (0.09, False)])
def test_a_queue_is_a_knee_also_where_the_slo_still_holds(queued: float, found: bool) -> None:
    assert fake(most=20, queued=queued).find_knee(ceiling=1000).found is found


def test_no_load_goes_beyond_what_the_tool_is_believed_at_and_then_there_is_no_knee() -> None:
    run = fake(most=10_000)
    knee = run.find_knee(ceiling=100)

    assert not knee.found
    assert knee.rate == max(phase.rate for phase in run.asked) <= 50
    assert str(knee).startswith("no knee up to ")


def test_an_engine_that_bears_no_load_has_its_knee_below_the_first() -> None:
    assert fake(most=1).find_knee(ceiling=1000) == Knee(pytest.approx(6 / 1.7), found=True)


def test_the_flood_never_makes_the_tool_the_bottleneck() -> None:
    knee = Knee(40, found=True)

    assert knee.flood(ceiling=1000) == 120
    assert knee.flood(ceiling=150) == 75


def test_windows_turn_the_order_and_ask_both_engines_the_same() -> None:
    run = fake()
    run.windows({STEADY: 10.0, FLOOD: 60.0}, windows=2, pairs=2)

    kinds = [(one.label, one.kind, one.window) for one in run.measured]
    assert kinds[:4] == [(BASELINE, STEADY, 0), (CANDIDATE, STEADY, 0), (BASELINE, FLOOD, 0), (CANDIDATE, FLOOD, 0)]
    assert kinds[4][0] == CANDIDATE
    assert {window for _, _, window in kinds} == {0, 1}
    assert [phase.seed for phase in run.asked[::2]] == [phase.seed for phase in run.asked[1::2]]


def test_the_queue_of_a_flood_is_never_long() -> None:
    run = fake()
    run.windows({STEADY: 10.0, FLOOD: 600.0}, windows=1, pairs=1)

    assert max(phase.rate * phase.seconds for phase in run.asked) == pytest.approx(session.MOST_REQUESTS)


def test_the_ceiling_is_looked_for_between_the_coarse_steps_too() -> None:
    assert between(300)[0] > 300
    assert between(300)[-1] < 600
    assert between(0)[-1] < session.CEILING_RATES[0]

    run = fake(most=180)
    coarse = session.highest(run, "http://127.0.0.1:1", session.CEILING_RATES)
    assert coarse == 1200  # all answered; the tool itself was never late


def test_a_rate_is_kept_when_all_left_in_time_and_all_were_answered() -> None:
    phase = Phase("blank", "http://127.0.0.1:1", 50, 1.0, 1)
    good = answers(phase, 100)
    assert keeps(good, phase)

    good[3].outcome = "http_500"
    assert not keeps(good, phase)

    late = answers(phase, 100)
    for one in late:
        one.sent = 0.02
    assert not keeps(late, phase)
