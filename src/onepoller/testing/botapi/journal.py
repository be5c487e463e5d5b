"""What happened at the fake server: one row for each request, one for each update that was pushed.

A row is live: it is written when the request arrives and changed when the request parks, ends, or loses its
connection. Every change gives it a new `version`, so whoever has seen version N asks for what changed since.
No row ever holds a token.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

POLL = "getupdates"


@dataclass(slots=True, kw_only=True)
class Row:
    """One request. Not frozen, since it is completed as the request goes on; readers do not change it.

    `how` is "" while the request is open, then `updates`, `empty`, `conflict` (`tag` says which: G, W, S,
    S2), `ok`, `error` or `fault`. Moments are seconds on the server's clock.
    """

    seq: int
    version: int = 0
    bot_id: int | None
    poller: str
    connection: int
    method: str  # in lower case, as the server compares it
    offset: int | None = None  # these three as sent, parsed and clamped; None if it is no getUpdates
    limit: int | None = None
    timeout: int | None = None
    arrived_at: float
    parked_at: float | None = None
    evicted_at: float | None = None  # when its 409 was decided; it may be sent 3 s later
    ended_at: float | None = None
    closed_at: float | None = None  # when its client was seen to have closed the connection
    how: str = ""
    tag: str = ""
    status: int | None = None
    update_ids: tuple[int, ...] = ()
    confirmed: tuple[int, ...] = ()  # ids that this request deleted from the queue
    beside: tuple[int, ...] = ()  # polls of this bot that were open, connection too, when this one arrived
    text: str = ""  # of a sendMessage

    @property
    def is_poll(self) -> bool:
        """Whether it is a getUpdates."""
        return self.method == POLL

    @property
    def is_open(self) -> bool:
        """Whether it is neither answered nor given up by its client."""
        return self.ended_at is None and self.closed_at is None

    @property
    def is_ghost(self) -> bool:
        """Whether its client was gone before it ended, so that nobody saw the answer."""
        return self.closed_at is not None and (self.ended_at is None or self.closed_at <= self.ended_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """One update that was made: its number, and its id, which is None if it was filtered or refused."""

    version: int
    bot_id: int
    number: int
    kind: str
    at: float
    update_id: int | None


_Entry = TypeVar("_Entry", Row, Pushed)


class Journal:
    """The rows of one server, newest change last. The least recently changed are dropped beyond `keep`."""

    def __init__(self, *, keep: int = 200_000) -> None:
        self._keep = keep
        self._rows: OrderedDict[int, Row] = OrderedDict()  # by seq, in the order of the last change
        self._pushed: OrderedDict[int, Pushed] = OrderedDict()  # by version
        self.version = 0
        self._seq = 0

    def __repr__(self) -> str:
        return f"<Journal {len(self._rows)} rows, version {self.version}>"

    def open(self, *, bot_id: int | None, poller: str, connection: int, method: str, now: float) -> Row:
        """Write the row of a request that has arrived."""
        self._seq += 1
        self.version += 1
        row = Row(
            seq=self._seq,
            version=self.version,
            bot_id=bot_id,
            poller=poller,
            connection=connection,
            method=method,
            arrived_at=now,
        )
        self._rows[row.seq] = row
        if len(self._rows) > self._keep:
            self._rows.popitem(last=False)
        return row

    def changed(self, row: Row) -> None:
        """Give a row that was changed its new version."""
        self.version += 1
        row.version = self.version
        if row.seq in self._rows:
            self._rows.move_to_end(row.seq)

    def pushed(self, *, bot_id: int, number: int, kind: str, now: float, update_id: int | None) -> Pushed:
        """Write down an update."""
        self.version += 1
        made = Pushed(
            version=self.version, bot_id=bot_id, number=number, kind=kind, at=now, update_id=update_id
        )
        self._pushed[made.version] = made
        if len(self._pushed) > self._keep:
            self._pushed.popitem(last=False)
        return made

    def rows(self, *, since: int = 0) -> list[Row]:
        """Give the rows changed after a version, in the order of arrival."""
        changed = _newer(self._rows, since)
        return sorted(changed, key=lambda row: row.seq)

    def pushes(self, *, since: int = 0) -> list[Pushed]:
        """Give the updates pushed after a version."""
        return _newer(self._pushed, since)


def _newer(entries: OrderedDict[int, _Entry], since: int) -> list[_Entry]:
    found: list[_Entry] = []
    for entry in reversed(entries.values()):
        if entry.version <= since:
            break
        found.append(entry)
    found.reverse()
    return found


def row_json(row: Row) -> dict[str, Any]:
    """Write a row for the control API."""
    return asdict(row)


def row_from_json(fields: dict[str, Any]) -> Row:
    """Read a row that `row_json` wrote."""
    lists = {name: tuple(fields[name]) for name in ("update_ids", "confirmed", "beside")}
    return Row(**(fields | lists))


def of_bot(rows: Sequence[Row], bot_id: int) -> list[Row]:
    """Give the rows of one bot."""
    return [row for row in rows if row.bot_id == bot_id]
