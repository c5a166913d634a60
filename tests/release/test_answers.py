from collections.abc import Callable
from typing import Any

from release import answers
from release.prometheus import FAIL, PASS, Prometheus
from rollouts.gates import load

Add = Callable[..., None]
QUALITY = load().quality
WHERE = ("demo/llm-engine", "v1.1.0-r2", "6h")


def judged(samples: Add, verdict: int) -> None:
    samples("sluice_answers_verdict", verdict)
    for metric, canary, low, high in (("bleu", 60.0, -35.0, -30.0), ("chrf", 90.0, -3.0, 1.0), ("rouge1", 1, -99, -98)):
        samples("sluice_answers_score", canary, arm="canary", metric=metric, group="zh")
        samples("sluice_answers_score", 92.0, arm="stable", metric=metric, group="zh")
        samples("sluice_answers_difference", low, bound="low", metric=metric, group="zh")
        samples("sluice_answers_difference", high, bound="high", metric=metric, group="zh")


def test_a_failure_names_the_metric_that_decided_with_its_interval(
    prometheus: Prometheus, metrics: Any, samples: Add
) -> None:
    judged(samples, FAIL)
    found = answers.gathered(prometheus, *WHERE)
    assert found is not None
    margin = QUALITY.margins["bleu"]
    assert answers.told(found, QUALITY) == (
        "Gate answers failed: bleu of the golden answers (zh) is 60.0 on the canary and 92.0 on stable, "
        f"a difference of -35.0 to -30.0 where {-margin:+g} is tolerated."
    )
    asked = metrics.heard("GET")[0]["query"]["query"][0]
    assert asked.startswith("last_over_time(")
    assert 'release="v1.1.0-r2"' in asked


def test_a_pass_says_so(prometheus: Prometheus, samples: Add) -> None:
    judged(samples, PASS)
    found = answers.gathered(prometheus, *WHERE)
    assert found is not None
    assert answers.told(found, QUALITY).startswith("Gate answers passed: bleu")


def test_a_verdict_without_figures_is_still_a_sentence() -> None:
    assert answers.told(answers.Answers(FAIL), QUALITY) == "Gate answers failed."


def test_nothing_judged_or_no_prometheus_is_nothing_to_tell(prometheus: Prometheus, metrics: Any, samples: Add) -> None:
    samples("sluice_answers_score", 1, arm="canary", metric="bleu", group="zh")
    assert answers.gathered(prometheus, *WHERE) is None
    assert answers.gathered(None, *WHERE) is None
    metrics.close()
    assert answers.gathered(prometheus, *WHERE) is None
