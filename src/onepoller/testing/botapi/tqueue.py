"""The update queue of one bot: ids, confirmation, offset sanity, expiry, caps.

Pure: time comes in as whole Unix seconds, as in the server, and the first id is drawn from the generator that
is given. It knows nothing of polls. After td's TQueue.cpp and the fetch of Client.cpp.

Reading confirms: every update below the offset is deleted when a call is *processed*, whether or not its
answer ever arrives.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

FIRST_IDS = (2_000_001, 1_000_000_000)
LAST_ID = 2_000_000_000
MOST_UPDATES = 100_000
MOST_BYTES = 128 << 20
LARGEST_UPDATE = 512 << 10
ANSWER_BUDGET = 1 << 22
ANSWER_COST = 50  # of each update in an answer, beside its length
AHEAD = 10  # an offset so far beyond the tail is still believed


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """One update that waits: its id, and the JSON text `"type":{...}`."""

    id: int
    text: str
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What one reading gave, and which ids it confirmed, that is deleted."""

    updates: tuple[Update, ...]
    confirmed: tuple[int, ...]


NOTHING = Fetched(updates=(), confirmed=())


class UpdateQueue:
    """The updates of one bot that nobody has confirmed yet."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._waiting: deque[Update] = deque()
        self._bytes = 0
        self._tail = 0  # 0: never created

    def __repr__(self) -> str:
        return f"<UpdateQueue {len(self._waiting)} waiting, head {self.head}, tail {self._tail}>"

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def head(self) -> int:
        """The oldest id that waits, or the tail."""
        return self._waiting[0].id if self._waiting else self._tail

    @property
    def tail(self) -> int:
        """The next id to be given; 0 if there was never an update."""
        return self._tail

    def push(self, text: str, *, expires_at: int) -> int | None:
        """Queue an update and give its id, or None if it is lost: too large, or the queue is full."""
        if self._tail == 0 or self._tail >= LAST_ID:
            self.clear()
            self._tail = self._random.randint(*FIRST_IDS)
        size = len(text)
        full = len(self._waiting) >= MOST_UPDATES or self._bytes + size > MOST_BYTES
        if full or size > LARGEST_UPDATE:
            return None
        update = Update(id=self._tail, text=text, expires_at=expires_at)
        self._tail += 1
        self._waiting.append(update)
        self._bytes += size
        return update.id

    def is_believed(self, offset: int) -> bool:
        """Say whether an offset is sane. One that is not is treated as the head, and confirms nothing."""
        return self.head - MOST_UPDATES <= offset <= self._tail + AHEAD and offset < LAST_ID

    def fetch(self, offset: int, *, limit: int, now: int) -> Fetched:
        """Confirm what is below the offset; give what lives from there on, within the limit and 4 MiB."""
        if self._tail == 0:
            return NOTHING
        confirmed: list[int] = []
        if self.is_believed(offset):
            while self._waiting and self._waiting[0].id < offset:
                confirmed.append(self._pop().id)
        chosen = self._living(limit, now)
        return Fetched(updates=_within_budget(chosen), confirmed=tuple(confirmed))

    def keep_newest(self, count: int) -> tuple[int, ...]:
        """Delete the oldest until at most `count` wait, and give their ids."""
        surplus = max(len(self._waiting) - count, 0)
        return tuple(self._pop().id for _ in range(surplus))

    def clear(self) -> tuple[int, ...]:
        """Delete everything, and give the ids."""
        return self.keep_newest(0)

    def collect(self, now: int) -> None:
        """Delete what has expired, as the server's collector does."""
        living = [update for update in self._waiting if update.expires_at >= now]
        if len(living) != len(self._waiting):
            self._waiting = deque(living)
            self._bytes = sum(len(update.text) for update in living)

    def _pop(self) -> Update:
        update = self._waiting.popleft()
        self._bytes -= len(update.text)
        return update

    def _living(self, limit: int, now: int) -> list[Update]:
        # Every id below the offset is gone, or the offset was not believed: the head comes first.
        chosen: list[Update] = []
        met_expired = False
        for update in self._waiting:
            if len(chosen) == limit:
                break
            if update.expires_at < now:
                met_expired = True
            else:
                chosen.append(update)
        if met_expired:
            last = chosen[-1].id if len(chosen) == limit else self._tail
            self._drop_expired(last, now)
        return chosen

    def _drop_expired(self, last: int, now: int) -> None:
        kept = [update for update in self._waiting if update.id > last or update.expires_at >= now]
        self._waiting = deque(kept)
        self._bytes = sum(len(update.text) for update in kept)


def _within_budget(updates: Sequence[Update]) -> tuple[Update, ...]:
    left = ANSWER_BUDGET
    for place, update in enumerate(updates):
        left -= len(update.text) + ANSWER_COST
        if left <= 0:
            return tuple(updates[:place])
    return tuple(updates)


def updates_json(updates: Sequence[Update]) -> str:
    """Write a list of updates as the server does: with a newline behind each `update_id`."""
    return "[" + ",".join(f'{{"update_id":{update.id},\n{update.text}}}' for update in updates) + "]"
