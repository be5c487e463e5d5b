"""What a history must not show. Each check is exact, sorts once, and gives one sentence for each finding.

- `overlaps`: two sessions that both would have delivered the same bot's updates at one moment;
- `stale_deliveries`: a delivery after a higher term of the bot had been granted;
- `shrunken_terms`: a grant that was asked for after another was heard, and has no higher term;
- `doubled_updates`: an update that two delivered though the first had let go in good order, or one twice;
- `lost_updates`: one that nobody delivered;
- `deaf_times`: too long without a delivery, while updates came and the store could be reached.

An update that is delivered again after its first holder died, froze or lost the store is none of these:
nobody had told Telegram that it was delivered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from tests.e2e.engines.history import Belief, Delivery, Grant, History

T = TypeVar("T")
Window = tuple[float, float]


def overlaps(history: History) -> list[str]:
    """Two would have delivered at once."""
    found = []
    for bot, beliefs in _by_bot(history.beliefs(), lambda belief: belief.bot).items():
        latest: Belief | None = None
        for belief in beliefs:
            if latest is not None and belief.session != latest.session and belief.start < latest.end:
                seconds = min(latest.end, belief.end) - belief.start
                found.append(f"bot {bot}: {_who(latest)} and {_who(belief)} for {seconds:.3f} s")
            if latest is None or belief.end > latest.end:
                latest = belief
    return found


def stale_deliveries(history: History) -> list[str]:
    """Delivered under a term that had been superseded."""
    found = []
    heard = _by_bot(sorted(history.grants, key=lambda grant: grant.heard), lambda grant: grant.bot)
    for bot, deliveries in _by_bot(
        sorted(history.deliveries, key=lambda delivery: delivery.at), lambda delivery: delivery.bot
    ).items():
        highest = _Highest(heard.get(bot, ()), lambda grant: grant.heard)
        for delivery in deliveries:
            newest = highest.until(delivery.at)
            if newest is not None and newest.term > delivery.term:
                late = delivery.at - newest.heard
                found.append(f"bot {bot}: {_who(delivery)} delivered {late:.3f} s after {_who(newest)} began")
    return found


def shrunken_terms(history: History) -> list[str]:
    """A later grant without a higher term."""
    found = []
    for bot, grants in _by_bot(history.grants, lambda grant: grant.bot).items():
        highest = _Highest(sorted(grants, key=lambda grant: grant.heard), lambda grant: grant.heard)
        holder_of: dict[int, str] = {}
        for grant in sorted(grants, key=lambda grant: grant.sent):
            before = highest.until(grant.sent)
            is_same = before is not None and (before.session, before.term) == (grant.session, grant.term)
            if before is not None and not is_same and before.term >= grant.term:
                found.append(f"bot {bot}: {_who(grant)} came after {_who(before)}")
            elif holder_of.setdefault(grant.term, grant.session) != grant.session:
                found.append(f"bot {bot}: {_who(grant)} had the same term as {holder_of[grant.term]}")
    return found


def doubled_updates(history: History) -> list[str]:
    """Delivered again although nobody had died, frozen or lost the store."""
    let_go: dict[tuple[int, str, int], list[float]] = defaultdict(list)
    taken = _by_bot(sorted(history.grants, key=lambda grant: grant.sent), lambda grant: grant.bot)
    for end in history.ends:
        # Whose write found no store has not let go. One that was carried out shows by its answer, or by a
        # successor that came while the session lived; the others are those of who died.
        until = history.sessions.until(end.session)
        has_heir = any(end.term < grant.term and grant.sent < until for grant in taken.get(end.bot, ()))
        if end.is_clean and ((end.bot, end.session, end.term) in history.freed or has_heir):
            let_go[end.bot, end.session, end.term].append(end.at)
    last: dict[tuple[int, int], Delivery] = {}
    found = []
    for delivery in sorted(history.deliveries, key=lambda delivery: delivery.at):
        for update in delivery.updates:
            before = last.get((delivery.bot, update))
            last[delivery.bot, update] = delivery
            if before is None:
                continue
            key = (before.bot, before.session, before.term)
            is_same = key == (delivery.bot, delivery.session, delivery.term)
            # One that could not let go has gone on, and may have died with what it delivered then.
            if is_same or any(before.at < at < delivery.at for at in let_go[key]):
                moments = f"{before.at:.3f}, {let_go[key]}, {delivery.at:.3f}"
                found.append(
                    f"bot {delivery.bot}: update {update}, {_who(before)}, then {_who(delivery)} ({moments})"
                )
    return found


def lost_updates(history: History, *, made: Mapping[int, Sequence[int]]) -> list[str]:
    """Of all that were made (by bot), those that nobody delivered."""
    delivered: dict[int, set[int]] = defaultdict(set)
    for delivery in history.deliveries:
        delivered[delivery.bot].update(delivery.updates)
    lost = {
        bot: [update for update in updates if update not in delivered[bot]] for bot, updates in made.items()
    }
    return [f"bot {bot}: {len(ids)} of {len(made[bot])}, first {ids[0]}" for bot, ids in lost.items() if ids]


def deaf_times(
    history: History, *, bots: Iterable[int], between: Window, bound: float, excused: Sequence[Window] = ()
) -> list[str]:
    """Longer than a bound without a delivery; what lies in an excused window does not count."""
    start, end = between
    away = _merged(excused)
    moments = _by_bot(sorted(history.deliveries, key=lambda d: d.at), lambda delivery: delivery.bot)
    found = []
    for bot in bots:
        since = start
        excuse = 0
        for at in [*(delivery.at for delivery in moments.get(bot, ()) if start < delivery.at < end), end]:
            while excuse < len(away) and away[excuse][1] <= since:
                excuse += 1
            silence = at - since - _covered(away, excuse, since, at)
            if silence > bound:
                found.append(f"bot {bot}: {silence:.3f} s up to {at:.3f}")
            since = at
    return found


class _Highest:
    """The grant with the highest term up to a moment; asked in order of moments."""

    def __init__(self, grants: Sequence[Grant], moment: Callable[[Grant], float]) -> None:
        self._grants = grants
        self._moment = moment
        self._next = 0
        self._highest: Grant | None = None

    def until(self, moment: float) -> Grant | None:
        while self._next < len(self._grants) and self._moment(self._grants[self._next]) <= moment:
            grant = self._grants[self._next]
            if self._highest is None or grant.term > self._highest.term:
                self._highest = grant
            self._next += 1
        return self._highest


def _by_bot(things: Iterable[T], bot: Callable[[T], int]) -> dict[int, list[T]]:
    grouped: dict[int, list[T]] = defaultdict(list)
    for thing in things:
        grouped[bot(thing)].append(thing)
    return grouped


def _merged(windows: Iterable[Window]) -> list[Window]:
    merged: list[Window] = []
    for start, end in sorted(windows):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def _covered(windows: Sequence[Window], first: int, start: float, end: float) -> float:
    """How much of a stretch these windows, from the first on, cover; they are in order and do not touch."""
    covered = 0.0
    for number in range(first, len(windows)):
        since, until = windows[number]
        if since >= end:
            break
        covered += max(0.0, min(until, end) - max(since, start))
    return covered


def _who(thing: Grant | Belief | Delivery) -> str:
    return f"{thing.session} term {thing.term}"
