"""One bot: what its tokens share, that is the queue, the filter, and the updates that were made for it."""

from random import Random

from onepoller.testing.botapi import kinds, objects
from onepoller.testing.botapi.journal import Journal, Pushed, Row
from onepoller.testing.botapi.replies import dumps
from onepoller.testing.botapi.tqueue import UpdateQueue

FIRST_COLLECTION = 600.0
COLLECT_EVERY = 60.0


class Bot:
    """A bot by its number."""

    def __init__(
        self, *, bot_id: int, random: Random, journal: Journal, epoch: float, started: float
    ) -> None:
        self.id = bot_id
        self.queue = UpdateQueue(random)
        self.allowed = kinds.DEFAULT_KINDS
        self.open_polls: dict[
            int, Row
        ] = {}  # by connection: unanswered, whether or not anybody still listens
        self.sent = 0  # messages that the bot itself has sent
        self._made = 0
        self._journal = journal
        self._epoch = epoch
        self._started = started

    def __repr__(self) -> str:
        return f"<Bot {self.id}, {self.queue!r}>"

    def unix(self, now: float) -> int:
        """Give the date."""
        return int(self._epoch + now)

    def make(self, kind: str, now: float, *, date: int | None = None) -> Pushed:
        """Make the next numbered update; it is queued if its type is allowed and it is not a day old."""
        self._made += 1
        arrived = self.unix(now)
        date = arrived if date is None else date
        life = kinds.KINDS[kind]
        born = date if kind in kinds.DATED_KINDS else arrived
        too_old = kind in kinds.MESSAGE_KINDS and date <= arrived - life
        update_id = None
        if kind in self.allowed and not too_old:
            text = f'"{kind}":{dumps(objects.MAKERS[kind](self._made, date))}'
            update_id = self.queue.push(text, expires_at=born + life)
        return self._journal.pushed(
            bot_id=self.id, number=self._made, kind=kind, now=now, update_id=update_id
        )

    def pending(self, now: float) -> int:
        """Count what waits, with what has expired since the collector's last run.

        The collector is not a timer: nothing but this number shows whether it has run.
        """
        first = self._started + FIRST_COLLECTION
        if now >= first:
            last_run = first + (now - first) // COLLECT_EVERY * COLLECT_EVERY
            self.queue.collect(self.unix(last_run))
        return len(self.queue)
