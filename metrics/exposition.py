"""The text that Prometheus scrapes (format 0.0.4), written with fixed templates.

The same content as `collector.OnepollerCollector`, several times as fast: a process with 10,000 bots must
answer within a second, and not stop its polls meanwhile. Runs in the HTTP thread.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from onepoller.coordination.report import Role
from onepoller.metrics import catalogue
from onepoller.metrics.catalogue import METRICS, Labels, Level, Metric, Type
from onepoller.metrics.histogram import Histogram
from onepoller.metrics.ledger import Ledger
from onepoller.metrics.reading import COLUMNS, Reading

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_ID = "#"
_ROLE = catalogue.BOT_ROLE.name
_ROLE_LINES = {
    role: "".join(
        f'{_ROLE}{{bot_id="{_ID}",{_ROLE}="{state.label}"}} {int(state is role)}\n' for state in Role
    )
    for role in Role
}
"""The lines of one bot in each role, `#` standing for its id."""


def exposition(ledger: Ledger) -> bytes:
    """Encode everything, and tell the ledger how long that took."""
    begun = time.perf_counter()
    text = "".join(_lines(ledger.read())).encode()
    ledger.collected(time.perf_counter() - begun)
    return text


def _lines(reading: Reading) -> Iterator[str]:
    process = reading.process()
    for metric in METRICS:
        if not reading.shows(metric):
            continue
        shown = Type.GAUGE if metric.type in (Type.INFO, Type.STATESET) else metric.type
        yield f"# HELP {metric.name} {metric.meaning}\n# TYPE {metric.name} {shown}\n"
        if metric.type is Type.HISTOGRAM:
            for labels, histogram in reading.histograms[metric].items():
                yield _histogram(metric, labels, histogram)
        elif metric.level is Level.PROCESS:
            for labels, value in process[metric].items():
                yield f"{metric.name}{_labels(metric, labels)} {value}\n"
        elif metric is catalogue.BOT_ROLE:
            yield "".join([_ROLE_LINES[bot.role].replace(_ID, bot.label) for bot in reading.bots])
        elif metric is catalogue.BOT_PROBLEM:
            for labels in reading.problems():
                yield f"{metric.name}{_labels(metric, labels)} 1\n"
        else:
            head, value_of = metric.name, COLUMNS[metric]
            yield "".join([f'{head}{{bot_id="{bot.label}"}} {value_of(bot)}\n' for bot in reading.bots])


def _labels(metric: Metric, values: Labels) -> str:
    """Nothing is escaped: label values are words of ours, version numbers and digits."""
    pairs = ",".join(f'{name}="{value}"' for name, value in zip(metric.labels, values, strict=True))
    return f"{{{pairs}}}" if pairs else ""


def _histogram(metric: Metric, values: Labels, histogram: Histogram) -> str:
    labels = _labels(metric, values)
    before = labels[:-1] + "," if labels else "{"
    buckets = histogram.buckets()
    lines = [f'{metric.name}_bucket{before}le="{bound}"}} {count}\n' for bound, count in buckets]
    return "".join(
        [
            *lines,
            f"{metric.name}_count{labels} {buckets[-1][1]}\n",
            f"{metric.name}_sum{labels} {histogram.total}\n",
        ]
    )
