import promql_parser
import pytest

from rollouts import promql

MADE = {
    "a sum": promql.summed('sluice_slow_total{kind="ttft"}'),
    "against a share": promql.against_share("rate", "bad", "n", 0.01),
    "against stable": promql.against_stable("rate", "bad", "all", "share"),
}


@pytest.mark.parametrize("expr", MADE.values(), ids=MADE)
def test_an_expression_parses(expr):
    promql_parser.parse(expr)


def test_a_sum_keeps_what_tells_arms_apart_and_drops_the_rest():
    assert promql.summed("x") == "sum by (rollout, release, step, source, arm) (x)"


def test_an_exponent_is_kept_below_what_a_double_holds():
    assert "clamp_max(" in promql.averaged("x")
    assert "700" in promql.averaged("x")
