import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from app.children import KnownCounter, KnownGauge, KnownHistogram


def test_the_same_labels_are_the_same_child() -> None:
    counter = KnownCounter("told", "text", ("arm", "step"), registry=CollectorRegistry())
    counter.labels("stable", "5").inc()

    assert counter.labels("stable", "5") is counter.labels("stable", "5") is counter.labels(arm="stable", step="5")
    assert counter.labels("stable", "5") is not counter.labels("canary", "5")


def test_what_is_removed_begins_anew_and_is_shown() -> None:
    registry = CollectorRegistry()
    counter = KnownCounter("told", "text", ("release", "arm"), registry=registry)
    counter.labels("v1", "stable").inc(3)
    counter.remove_by_labels({"release": "v1"})
    assert b'release="v1"' not in generate_latest(registry)

    counter.labels("v1", "stable").inc()
    assert b'told_total{arm="stable",release="v1"} 1.0' in generate_latest(registry)


def test_gauges_and_histograms_remember_too_and_stay_what_they_are() -> None:
    registry = CollectorRegistry()
    KnownGauge("level", "text", ("arm",), registry=registry).labels("stable").set(2)
    KnownHistogram("times", "text", ("arm",), buckets=(1.0,), registry=registry).labels("stable").observe(0.5)
    KnownGauge("alone", "text", registry=registry).set(4)
    shown = generate_latest(registry)

    for line in (b"# TYPE level gauge", b"# TYPE times histogram", b'level{arm="stable"} 2.0', b"alone 4.0"):
        assert line in shown


@pytest.mark.parametrize("seconds", [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 100.0])
def test_a_time_falls_into_the_bucket_that_the_library_has_for_it(seconds: float) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    for kind, registry in ((KnownHistogram, ours), (Histogram, theirs)):
        kind("times", "text", ("arm",), buckets=(1.0, 2.0), registry=registry).labels("stable").observe(seconds)

    def shown(registry: CollectorRegistry) -> list[bytes]:
        return [line for line in generate_latest(registry).splitlines() if b"_created" not in line]

    assert shown(ours) == shown(theirs)


def test_what_has_labels_and_is_no_child_counts_nothing() -> None:
    with pytest.raises(AttributeError):
        KnownCounter("told", "text", ("arm",), registry=CollectorRegistry()).inc()
