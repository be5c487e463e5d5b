"""The metrics for those who have a prometheus_client registry: one custom collector, registered once.

`OnepollerCollector(ledger, registry=REGISTRY)`. It works with any exporter of prometheus_client, gives no
`_created` series, and shows bots that have gone no longer. It is not seen by prometheus_client's
multiprocess mode, which ignores custom collectors: there each process exports by itself.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client import Metric as Family
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    StateSetMetricFamily,
)
from prometheus_client.registry import Collector, CollectorRegistry

from onepoller.coordination.report import Role
from onepoller.metrics import catalogue
from onepoller.metrics.catalogue import METRICS, Labels, Level, Metric, Type
from onepoller.metrics.ledger import Ledger
from onepoller.metrics.reading import COLUMNS, Reading


class OnepollerCollector(Collector):
    """Families made anew at each scrape from a ledger."""

    def __init__(self, ledger: Ledger, *, registry: CollectorRegistry | None = None) -> None:
        self._ledger = ledger
        if registry is not None:
            registry.register(self)

    def collect(self) -> Iterator[Family]:
        """Give every family of the catalogue."""
        begun = time.perf_counter()
        reading = self._ledger.read()
        process = reading.process()
        for metric in METRICS:
            if reading.shows(metric):
                yield _family(metric, reading, process)
        self._ledger.collected(time.perf_counter() - begun)


def _family(metric: Metric, reading: Reading, process: dict[Metric, dict[Labels, float]]) -> Family:
    match metric.type:
        case Type.HISTOGRAM:
            return _histogram(metric, reading)
        case Type.STATESET:
            return _roles(metric, reading)
        case Type.INFO:
            info = InfoMetricFamily(metric.name.removesuffix("_info"), metric.meaning)
            for labels in process[metric]:
                info.add_metric((), dict(zip(metric.labels, labels, strict=True)))
            return info
        case Type.COUNTER | Type.GAUGE:
            kind = CounterMetricFamily if metric.type is Type.COUNTER else GaugeMetricFamily
            family = kind(metric.name, metric.meaning, labels=metric.labels)
            for labels, value in _values(metric, reading, process):
                family.add_metric(labels, value)
            return family


def _values(
    metric: Metric, reading: Reading, process: dict[Metric, dict[Labels, float]]
) -> Iterator[tuple[Labels, float]]:
    if metric.level is Level.PROCESS:
        yield from process[metric].items()
    elif metric is catalogue.BOT_PROBLEM:
        yield from ((labels, 1) for labels in reading.problems())
    else:
        value_of = COLUMNS[metric]
        yield from (((bot.label,), value_of(bot)) for bot in reading.bots)


def _histogram(metric: Metric, reading: Reading) -> Family:
    family = HistogramMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    for labels, histogram in reading.histograms[metric].items():
        family.add_metric(labels, buckets=histogram.buckets(), sum_value=histogram.total)
    return family


def _roles(metric: Metric, reading: Reading) -> Family:
    family = StateSetMetricFamily(metric.name, metric.meaning, labels=metric.labels[:1])
    for bot in reading.bots:
        family.add_metric((bot.label,), {role.label: bot.role is role for role in Role})
    return family
