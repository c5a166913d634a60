"""Metrics that find the child of some labels at one look, and count without asking whether they may: in one thread.

prometheus_client makes a text of every label, takes a lock, looks whether it is a child and goes through the buckets
one by one each time, a dozen times per request.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase


class Children(dict[tuple[object, ...], Any]):
    """By the values of their labels; one that is not there yet is made."""

    def __init__(self, made: Callable[..., Any]) -> None:
        self.made = made

    def __missing__(self, values: tuple[object, ...]) -> Any:
        found = self[values] = self.made(*values)
        return found


class Known(MetricWrapperBase):
    @cached_property
    def of(self) -> Children:
        """`of[values]` is what `labels(*values)` gives, remembered until some are removed."""
        return Children(super().labels)

    def labels(self, *values: object, **named: object) -> Any:
        return super().labels(*values, **named) if named else self.of[values]

    def remove_by_labels(self, labels: Mapping[str, str]) -> None:
        """Forget all: a child that is gone from the registry would count for nobody."""
        self.of.clear()
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
