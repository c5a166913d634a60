"""Metrics that find the child of some labels at one look.

prometheus_client makes a text of every label and takes a lock each time, a dozen times per request.
"""

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
    pass


class KnownGauge(Known, Gauge):
    pass


class KnownHistogram(Known, Histogram):
    pass
