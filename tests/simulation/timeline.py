"""A run as two lanes: on the left what happened to whom and what our processes told, on the right the server.

Calls that ended alike one after the other are one line, with their number.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass

from onepoller.testing.botapi import Row
from tests.simulation.stage import Stage

WIDTH = 64
_SILENT = frozenset({"bot_id", "since", "holder_since", "other", "holder", "session"})


def lines(stage: Stage, rows: Sequence[Row]) -> Iterator[str]:
    """The lanes, line by line."""
    breaks = [at for at, _, _ in stage.world.notes]
    left = [
        (at, 0, number, f"{who}: {_told(what)}") for number, (at, who, what) in enumerate(stage.world.notes)
    ]
    right = [(at, 1, number, text) for number, (at, text) in enumerate(_calls(rows, breaks))]
    yield f"{'seconds':>9}  {'processes':<{WIDTH}} | server"
    for at, lane, _, text in sorted(left + right):
        yield f"{at:9.3f}  {'' if lane else text:<{WIDTH}} |{' ' + text if lane else ''}".rstrip()


def _told(what: object) -> str:
    if not is_dataclass(what):
        return str(what)
    parts = [
        f"{field.name}={_short(value)}"
        for field in fields(what)
        if field.name not in _SILENT and (value := getattr(what, field.name)) not in (None, "", 0)
    ]
    return f"{type(what).__name__} {' '.join(parts)}"


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    return getattr(value, "name", str(value))


def _calls(rows: Sequence[Row], breaks: Sequence[float]) -> Iterator[tuple[float, str]]:
    """Each call, or several that ended alike while nothing else happened."""
    first: Row | None = None
    count = 0
    for row in rows:
        if first is not None and _is_like(first, row, breaks):
            count += 1
            continue
        if first is not None:
            yield first.arrived_at, _call(first, count)
        first, count = row, 1
    if first is not None:
        yield first.arrived_at, _call(first, count)


def _is_like(first: Row, row: Row, breaks: Sequence[float]) -> bool:
    if bisect(breaks, first.arrived_at) != bisect(breaks, row.arrived_at):
        return False
    return (row.poller, row.method, row.how, row.tag) == (first.poller, first.method, first.how, first.tag)


def _call(row: Row, count: int) -> str:
    what = row.method
    if row.is_poll:
        what = f"polls offset={row.offset} timeout={row.timeout}"
    how = row.how or "open"
    if row.is_ghost:
        how += " (its client had gone)"
    lasted = "" if row.ended_at is None else f" after {row.ended_at - row.arrived_at:.2f} s"
    more = f", and {count - 1} more alike" if count > 1 else ""
    updates = f" ({len(row.update_ids)} updates)" if row.update_ids else ""
    return f"{row.poller} {what}: {how} {row.tag}{updates}{lasted}{more}".replace("  ", " ")
