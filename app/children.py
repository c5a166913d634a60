"""Metrics that find the child of some labels at one look, and count without asking whether they may: in one thread.

prometheus_client makes a text of every label, takes a lock, looks whether it is a child and goes through the buckets
one by one each time, a dozen times per request.
"""

from bisect import bisect_left
from collections.abc import Mapping
from typing import Any

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase


class Known(MetricWrapperBase):
    """Remembers children by their labels' values, until some are removed."""

    known: dict[tuple[object, ...], Any]

    def labels(self, *values: object, **named: object) -> Any:
        if named:
            return super().labels(*values, **named)
        try:
            return self.known[values]
        except AttributeError:
            self.known = {}
        except KeyError:
            pass
        found = self.known[values] = super().labels(*values)
        return found

    def remove_by_labels(self, labels: Mapping[str, str]) -> None:
        """Forget all: a child that is gone from the registry would count for nobody."""
        self.known = {}
        super().remove_by_labels(dict(labels))


class KnownCounter(Known, Counter):
    def inc(self, amount: float = 1, exemplar: dict[str, str] | None = None) -> None:
        self._value._value += amount  # only a child has one


class KnownGauge(Known, Gauge):
    def inc(self, amount: float = 1) -> None:
        self._value._value += amount

    def dec(self, amount: float = 1) -> None:
        self._value._value -= amount


class KnownHistogram(Known, Histogram):
    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:
        self._sum._value += amount
        self._buckets[bisect_left(self._upper_bounds, amount)]._value += 1  # the last bound is infinite
