from collections.abc import Sequence

import pytest

from perf.bench import verdict
from perf.bench.attack import Reply
from perf.bench.others import Others
from perf.bench.verdict import Load, Round

ALONE = 4.0  # ms
MINUTE = 60.0
REFUSED = Reply(400, 0.01)


def waits(ms: float, failed: int = 0, number: int = 100) -> Others:
    return Others([ms / 1000] * number, failed)


def load(*replies: Reply, others: float = ALONE, failed: int = 0, unfreed: int = 0, name: str = "n") -> Load:
    return Load(name, list(replies or [REFUSED]), waits(others, failed), unfreed, wanted=(400, 429))


def one(*loads: Load, ended: float = 0.0, alone: float = ALONE, saw: int = 0, memory: float = 130.0) -> Round:
    return Round(list(loads or [load()]), [waits(alone)], saw, [memory + 5, memory], ended)


def soak(*memory: float, other: dict[int, Round] | None = None) -> list[Round]:
    """A good round a minute, and what is planted in some of them."""
    rounds = [one(ended=number * MINUTE, memory=held) for number, held in enumerate(memory, 1)]
    return [(other or {}).get(number, good) for number, good in enumerate(rounds, 1)]


def faults(rounds: Sequence[Round], seconds: float = 0.0) -> list[str]:
    found = verdict.judged(rounds, seconds)["faults"]
    assert isinstance(found, list)
    return found


def test_what_is_refused_at_once_and_disturbs_nobody_is_no_fault() -> None:
    assert faults([one()]) == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (load(REFUSED, Reply(200, 0.01)), "1 were answered with 200"),
        (load(Reply(429, 0.01, slow=True)), "no refusal was timed"),
        (load(failed=3), "3 requests of others failed"),
        (load(unfreed=7), "the engine went on with 7 streams of nobody"),
    ],
)
def test_what_may_never_happen_fails_a_soak_whose_seventh_round_has_it(found: Load, said: str) -> None:
    planted = {7: one(found, ended=7 * MINUTE)}

    assert faults(soak(*[130.0] * 10), 600) == []
    assert faults(soak(*[130.0] * 10, other=planted), 600) == [f"round 7, n: {said}"]


def test_a_refused_request_that_the_engine_saw_in_one_round_fails_the_soak() -> None:
    assert faults(soak(*[130.0] * 10, other={7: one(ended=7 * MINUTE, saw=2)}), 600) == [
        "round 7: the engine saw 2 of the refused requests"
    ]


def test_others_that_fail_where_nobody_disturbs_them_are_seen() -> None:
    quiet = Round([load()], [waits(ALONE, failed=1)], 0, [130.0], 0.0)

    assert faults([quiet]) == ["round 1: 1 requests of others failed where nobody disturbed them"]


def test_others_may_wait_twice_as_long_and_not_a_tenth_more() -> None:
    assert faults([one(load(others=2.0, name="a"), load(others=2.0, name="b"), alone=1.0)]) == []
    assert faults([one(load(others=2.1, name="a"), *[load(others=1.0, name="b")] * 999, alone=1.0)])[0] == (
        "a: others waited 2.1 times as long"
    )


def test_a_refusal_may_take_50_ms_in_each_load_and_in_each_round() -> None:
    late = load(*[Reply(400, 0.2)] * 5, *[REFUSED] * 95, name="a")
    calm = load(*[REFUSED] * 10_000, name="b")

    assert faults([one(late, calm)] * 3) == ["a: a refusal took 200 ms"]
    prompt = [one(load(*[REFUSED] * 200, name="a"), ended=number * MINUTE) for number in range(2)]
    assert faults([*prompt, one(load(*late.replies[2:], name="a"))]) == ["round 3: a refusal took 200 ms"]
    assert faults([one(load(Reply(400, 0.2), *[REFUSED] * 999))]) == []


def test_one_round_in_which_others_waited_for_longer_fails_the_soak() -> None:
    slow = one(*[load(others=9.0, name="a")] * 1, ended=7 * MINUTE)

    assert "round 7: others waited 2.2 times as long" in faults(soak(*[130.0] * 10, other={7: slow}), 600)


def test_a_round_in_which_the_machine_was_quick_while_nobody_asked_is_no_slow_one() -> None:
    quick = one(load(others=4.5, name="a"), ended=7 * MINUTE, alone=1.0)

    assert faults(soak(*[130.0] * 10, other={7: quick}), 600) == []


def test_a_load_beside_which_others_wait_in_every_round_fails_though_the_rounds_do_not() -> None:
    slow = load(others=10.0, name="a")
    slow.others.waits = slow.others.waits[:2]  # little beside the others of its rounds
    calm = Load("b", [REFUSED], waits(ALONE, number=10_000), wanted=(400,))

    assert faults([one(slow, calm)] * 3) == ["a: others waited 2.5 times as long"]


@pytest.mark.parametrize(
    "memory",
    [
        [90, 130, 130.4, 129.8, 130.1, 130, 130.2, 129.9, 130.1],  # the first is the warm-up
        [130, 130, 130, 130, 130, 130, 190, 130, 130],  # one that was looked at too early
        [120, 160, 161.4, 161.7, 161.7, 161.7, 162.3, 162.3, 162.3],  # it settles in the first half, and one step more
        [130 + 0.25 * number for number in range(9)],  # 1 MB in the four minutes of the second half
    ],
)
def test_memory_that_settles_is_flat(memory: list[float]) -> None:
    assert faults(soak(*memory), 540) == []


@pytest.mark.parametrize(
    ("memory", "said"),
    [
        ([130 + 0.3 * number for number in range(9)], "1.2 MB more in the second half, 18.0 an hour"),
        ([130.0] * 5 + [130.5, 131.0, 131.5, 132.0], "2.0 MB more in the second half, 30.0 an hour"),
        ([130 + 0.05 * number for number in range(60)], "1.5 MB more in the second half, 3.0 an hour"),  # for an hour
    ],
)
def test_memory_that_grows_fails_the_soak(memory: list[float], said: str) -> None:
    assert faults(soak(*memory), 540) == [f"memory: {said}: 1.0 MB at most are flat"]


def test_a_soak_too_short_to_say_is_no_proof_that_memory_is_flat() -> None:
    assert faults(soak(130, 130, 130), 120) == ["memory: 3 rounds say nothing, 6 are needed: soak for longer"]
    assert faults(soak(130, 130, 130), 0) == []


def test_the_report_keeps_each_load_of_each_round_in_figures_and_no_single_wait() -> None:
    found = verdict.judged(soak(*[130.0] * 3))
    kept = found["rounds"][2]["loads"]["n"]

    assert (kept["requests"], kept["statuses"], kept["others"], kept["others_ratio"]) == (1, {"400": 1}, 100, 1.0)
    assert found["loads"]["n"]["others"] == 300
    assert len(str(kept)) < 500
