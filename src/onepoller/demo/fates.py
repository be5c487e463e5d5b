"""What became of each message: read from the server's journal and from what the bots handled. Pure.

python-telegram-bot confirms an update before it handles it, so a `kill -9` takes along what waits in the
framework's own queue: onepoller can neither see nor save that. What it promises is that nothing falls between
two pollers, so the two are told apart here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from onepoller.testing.botapi import Pushed, Row, duplicates, polls


@dataclass(frozen=True, slots=True, kw_only=True)
class Fates:
    """Counts of messages."""

    sent: int
    lost_between: int
    """Handled by nobody, and not because the poller that had confirmed them died with them."""
    lost_in_queue: int
    """Handled by nobody: a poller had them, confirmed them, and died before it came to them."""
    delivered_twice: int
    handled_twice: int


def fates(rows: Iterable[Row], pushed: Iterable[Pushed], handled: Mapping[int, int]) -> Fates:
    """Sort the messages pushed. `handled` says how often each update was."""
    rows = polls(rows)
    ids = {made.update_id for made in pushed if made.update_id is not None}
    received: defaultdict[int, set[str]] = defaultdict(set)
    confirmed: dict[int, str] = {}
    for row in rows:
        confirmed.update(dict.fromkeys(row.confirmed, row.poller))
        for update in () if row.is_ghost else row.update_ids:
            received[update].add(row.poller)
    missing = [update for update in ids if not handled.get(update)]
    in_queue = sum(confirmed.get(update) in received[update] for update in missing)
    return Fates(
        sent=len(ids),
        lost_between=len(missing) - in_queue,
        lost_in_queue=in_queue,
        delivered_twice=len(ids & duplicates(rows).keys()),
        handled_twice=sum(times > 1 for update, times in handled.items() if update in ids),
    )


def given_last(rows: Iterable[Row]) -> dict[int, str]:
    """Say who was given each update last, and saw it come.

    An answer that crosses a handover is dropped, and what was in it is given to the successor: only that one
    handles it.
    """
    return {update: row.poller for row in polls(rows) if not row.is_ghost for update in row.update_ids}


def total(parts: Iterable[Iterable[int]]) -> Counter[int]:
    """Count how often each update was handled, by whomever."""
    return Counter(update for part in parts for update in part)
