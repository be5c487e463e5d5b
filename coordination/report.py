"""What a session says of its bots with each beat: a row of fixed size a bot, for `status`.

Fixed rows, overwritten in place: 10,000 bots are 280 kB, packed in a few milliseconds once a beat, and need
no transaction. Times are wall clock, for people. A proxy adds one row, of no bot: how many clients it has.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from onepoller.coordination.identity import BotId

_ROW = struct.Struct("<QdIII")


class Role(IntEnum):
    """The phases of `decide` as numbers of the report and labels of the metrics."""

    STARTING = 0
    STANDBY = 1
    POLLING = 2
    CONTENDED = 3
    DRAINING = 4
    BLOCKED = 5
    STOPPED = 6

    @property
    def label(self) -> str:
        """The word for logs, metrics and status."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class BotReport:
    """One bot in one process."""

    bot_id: BotId
    role: Role
    last_poll: float = 0.0
    """Wall clock of the last poll that Telegram answered with 200; 0 if none."""
    episodes: int = 0
    conflicts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """What a proxy says of itself."""

    here: int
    most: int
    """So many fit; one more is refused."""

    def row(self) -> bytes:
        """A row of bot 0, which `unpack` leaves out: there is no such bot."""
        return _ROW.pack(0, 0.0, 0, self.here, self.most)


def row(bot_id: BotId, role: Role, *, last_poll: float, episodes: int, conflicts: int) -> bytes:
    """One row; called for each bot at each beat, so it makes no object but the bytes."""
    return _ROW.pack(bot_id, last_poll, role, episodes, conflicts)


def pack(rows: Iterable[BotReport]) -> bytes:
    """The rows as bytes."""
    return b"".join(_ROW.pack(r.bot_id, r.last_poll, r.role, r.episodes, r.conflicts) for r in rows)


def unpack(report: bytes) -> Iterator[BotReport]:
    """The rows of a report; a torn tail, or a role of a later version, is left out."""
    whole = len(report) // _ROW.size * _ROW.size
    for bot_id, last_poll, role, episodes, conflicts in _ROW.iter_unpack(report[:whole]):
        if bot_id and role in Role._value2member_map_:
            yield BotReport(
                bot_id=BotId(bot_id),
                role=Role(role),
                last_poll=last_poll,
                episodes=episodes,
                conflicts=conflicts,
            )


def clients_of(report: bytes) -> Clients | None:
    """What a proxy said of its clients; None in the report of anything else."""
    whole = len(report) // _ROW.size * _ROW.size
    for bot_id, _, _, here, most in _ROW.iter_unpack(report[:whole]):
        if not bot_id and most:
            return Clients(here=here, most=most)
    return None
