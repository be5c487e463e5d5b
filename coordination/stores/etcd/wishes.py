"""Wishes: each session keeps its own, many in one key: ten standbys of 10,000 bots are no 100,000 keys.

They lie in a fixed number of parts by bot id, so that the change of one rewrites little. A wish's place in
the order of arrival is the revision of the write that brought it, which only the next write of that part can
name: until then it is the revision of the key.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from onepoller.coordination.identity import BotId, SessionId, Term
from onepoller.coordination.stores.etcd.words import Kept
from onepoller.coordination.stores.seam import Wish, WishMode

PARTS = 64
Part = dict[BotId, Wish]


class OwnWishes:
    """What a session has written of its own wishes."""

    def __init__(self) -> None:
        self._parts: dict[int, Part] = {}

    def after(self, made: Sequence[Wish], withdrawn: Collection[BotId]) -> dict[int, Part]:
        """The parts that these change, as they are to be; new wishes have no place yet. Changes nothing."""
        changed: dict[int, Part] = {}
        for wish in made:
            part = self._copy(wish.bot_id, changed)
            earlier = part.get(wish.bot_id)
            part[wish.bot_id] = replace(wish, since=earlier.since if earlier else 0)
        for bot_id in withdrawn:
            self._copy(bot_id, changed).pop(bot_id, None)
        return {number: part for number, part in changed.items() if part != self._parts.get(number, {})}

    def written(self, parts: Mapping[int, Part], revision: int) -> None:
        """These were written, with this revision."""
        for number, part in parts.items():
            self._parts[number] = {
                bot_id: wish if wish.since else replace(wish, since=revision) for bot_id, wish in part.items()
            }

    def _copy(self, bot_id: BotId, changed: dict[int, Part]) -> Part:
        number = bot_id % PARTS
        if number not in changed:
            changed[number] = dict(self._parts.get(number, {}))
        return changed[number]


class Wishes:
    """The wishes of all sessions, as far as they were read."""

    def __init__(self) -> None:
        self.revision = 0
        """All that was written until then was read."""
        self._parts: dict[SessionId, dict[str, tuple[int, list[Wish]]]] = {}

    def read(self, keys: Iterable[Kept], revision: int) -> None:
        """These have changed until this revision."""
        for key in keys:
            *_, owner, number = key.key.split("/")
            parts = self._parts.setdefault(SessionId(owner), {})
            if key.revision > parts.get(number, (0, ()))[0]:
                parts[number] = key.revision, wishes_of(key, SessionId(owner))
        self.revision = max(self.revision, revision)

    def of(self, bots: Collection[BotId] | None, alive: Collection[SessionId]) -> dict[BotId, list[Wish]]:
        """The wishes of living sessions for these bots, or for all, in order of arrival."""
        for gone in self._parts.keys() - set(alive):
            del self._parts[gone]
        standing: dict[BotId, list[Wish]] = {bot_id: [] for bot_id in bots or ()}
        for parts in self._parts.values():
            for _, wishes in parts.values():
                for wish in wishes:
                    if bots is None:
                        standing.setdefault(wish.bot_id, []).append(wish)
                    elif wish.bot_id in standing:
                        standing[wish.bot_id].append(wish)
        for wishes in standing.values():
            wishes.sort(key=lambda wish: wish.since)
        return standing


def part_text(part: Part) -> str:
    """A part as it is kept: a row for each wish, without the session, whose name is in the key."""
    rows = [[w.bot_id, w.since, w.priority, str(w.mode), w.aim] for w in part.values()]
    return json.dumps(rows, separators=(",", ":"))


def wishes_of(key: Kept, owner: SessionId) -> list[Wish]:
    """The wishes in a key of `part_text`."""
    return [
        Wish(
            bot_id=BotId(bot_id),
            session=owner,
            since=since or key.revision,
            priority=priority,
            mode=WishMode(mode),
            aim=None if aim is None else Term(aim),
        )
        for bot_id, since, priority, mode, aim in json.loads(key.value)
    ]
