"""The whole fake Bot API without sockets: calls in, answers out, the clock passed in.

`submit(call, now)` and `advance(now)` give the answers that have become due, each with the exact moment;
`next_event_at()` says when to come back. Nothing here waits, reads a clock or draws a number that the seed
does not decide, so a test or a simulation runs it on virtual time. `now` never goes back.

A closed connection is told with `closed`; the server's rules do not notice it (a poll whose client is gone
stays parked), only the journal does. `is_connected` is asked before a conflict or an overlap is written
down: a carrier whose news of a closed connection may come late can look there and then.
"""

from collections.abc import Callable
from random import Random

from onepoller.testing.botapi.bot import Bot
from onepoller.testing.botapi.call import Answer, Call
from onepoller.testing.botapi.faults import Fault, Faults
from onepoller.testing.botapi.guests import Guests
from onepoller.testing.botapi.journal import Journal, Pushed, Row
from onepoller.testing.botapi.polling import note_parameters
from onepoller.testing.botapi.query import Desk, Query
from onepoller.testing.botapi.registry import Registry
from onepoller.testing.botapi.replies import Cut, Reply
from onepoller.testing.botapi.rules import FAITHFUL, Rules
from onepoller.testing.botapi.timers import Timers
from onepoller.testing.botapi.tokens import TEST_DC, bot_id_of

_SEEN_BY_SOMEBODY = frozenset({"updates", "conflict"})  # where it matters whether anybody was there


def _always(_: int) -> bool:
    return True


class BotApi:
    """One Bot API server, any number of bots."""

    def __init__(
        self,
        *,
        rules: Rules = FAITHFUL,
        seed: int = 0,
        started: float = 0.0,
        epoch: float = 1_800_000_000.0,
        is_connected: Callable[[int], bool] = _always,
        keep: int = 200_000,
    ) -> None:
        self.journal = Journal(keep=keep)
        self.faults = Faults()
        self.timers = Timers()
        self.guests = Guests(self, seed)
        self._epoch = epoch  # the date at moment 0 of the clock
        self._is_connected = is_connected
        self._desk = Desk(
            rules=rules, timers=self.timers, journal=self.journal, unix=self.unix, answer=self._answer
        )
        self.registry = Registry(self._desk, random=Random(seed), epoch=epoch, started=started)
        self._open: dict[int, Query] = {}  # by connection
        self._outbox: list[Answer] = []

    def __repr__(self) -> str:
        return f"<BotApi {self.registry!r}, {len(self._open)} open calls>"

    # -- calls and time

    def submit(self, call: Call, now: float) -> list[Answer]:
        """Take a call in. Gives every answer that is due, of this call or of others."""
        self.timers.run(now)
        self.receive(call, now)
        return self._drain()

    def advance(self, now: float) -> list[Answer]:
        """Let time pass. Gives every answer that has become due."""
        self.timers.run(now)
        return self._drain()

    def next_event_at(self) -> float | None:
        """Give the moment at which `advance` has something to do, or None."""
        return self.timers.next_at()

    def closed(self, connection: int, now: float) -> None:
        """Note that a client has closed its connection. The call that it may have open goes on."""
        self.timers.run(now)
        query = self._open.get(connection)
        if query is None:
            return
        if query.row.closed_at is None:
            query.row.closed_at = now
            self.journal.changed(query.row)
        if query.row.how == "fault":  # a call that hangs has nothing else to end it
            self._forget(query)

    def unix(self, now: float) -> int:
        """Give the server's date."""
        return int(self._epoch + now)

    def shut_down(self, now: float) -> list[Answer]:
        """Stop: parked polls are answered 200, and every later call 429 with `retry_after` 5."""
        self.timers.run(now)
        self.registry.shut_down(now)
        return self._drain()

    # -- what a test does to it

    def push(
        self, bot_id: int, count: int = 1, *, now: float, kind: str = "message", date: int | None = None
    ) -> list[Pushed]:
        """Make numbered updates for a bot; `date` is that of the message, if it is not now."""
        self.timers.run(now)
        bot = self.bot(bot_id)
        made = [bot.make(kind, now, date=date) for _ in range(count)]
        if any(update.update_id is not None for update in made):
            for client in self.registry.clients_of(bot_id):
                client.polls.update_queued(now)
        return made

    def revoke(self, bot_id: int, *, now: float) -> None:
        """Have the tokens of a bot refused, until one is authorised."""
        self.timers.run(now)
        self.registry.revoke(bot_id, now)

    def authorise(self, token: str) -> None:
        """Have one token accepted."""
        self.registry.authorise(token)

    def inject(self, bot_id: int, fault: Fault) -> None:
        """Have the next matching calls of a bot answered with a fault."""
        self.faults.add(bot_id, fault)

    def bot(self, bot_id: int) -> Bot:
        """Give a bot, which comes into being by being asked for."""
        return self.registry.bot(bot_id)

    # -- inside

    def receive(self, call: Call, now: float) -> None:
        """Take a call in without giving out answers."""
        method = (call.method or call.arguments.get("method", "")).lower()
        bot_id = bot_id_of(call.token)
        if bot_id is not None and call.is_test:
            bot_id += TEST_DC
        row = self.journal.open(
            bot_id=bot_id, poller=call.poller, connection=call.connection, method=method, now=now
        )
        query = Query(call=call, row=row)
        self._open[call.connection] = query
        if row.is_poll:
            self._note_poll(query, now)
        if self.faults.waiting and bot_id is not None:
            fault = self.faults.take(bot_id, method=method, poller=call.poller)
            if fault is not None:
                self._answer(query, fault, "fault", now)
                return
        client = self.registry.admit(call, method=method, now=now)
        if isinstance(client, Reply):
            self._answer(query, client, "error", now)
        else:
            client.receive(query, now)

    def _note_poll(self, query: Query, now: float) -> None:
        row = query.row
        note_parameters(query, query.call.arguments)
        if row.bot_id is None:
            return
        open_polls = self.bot(row.bot_id).open_polls
        if open_polls:
            for other in open_polls.values():
                self._look(other, now)
            row.beside = tuple(other.seq for other in open_polls.values() if other.closed_at is None)
        open_polls[row.connection] = row

    def _look(self, row: Row, now: float) -> None:
        """Find out whether the client of an open call is still there."""
        if row.closed_at is None and row.connection >= 0 and not self._is_connected(row.connection):
            row.closed_at = now
            self.journal.changed(row)

    def _answer(self, query: Query, reply: Reply | Cut, how: str, now: float) -> None:
        row = query.row
        if how in _SEEN_BY_SOMEBODY:
            self._look(row, now)
        row.how = how
        if reply is Cut.HANG:
            self.journal.changed(row)
            return
        self._forget(query)
        row.ended_at = now
        if isinstance(reply, Reply):
            row.status = reply.status
        self.journal.changed(row)
        if row.closed_at is not None:
            return
        if row.connection < 0:
            self.guests.answered(query.call, row, now)
        else:
            self._outbox.append(Answer(call=query.call, at=now, reply=reply))

    def _forget(self, query: Query) -> None:
        row = query.row
        if self._open.get(row.connection) is query:
            del self._open[row.connection]
        if row.is_poll and row.bot_id is not None:
            self.bot(row.bot_id).open_polls.pop(row.connection, None)

    def _drain(self) -> list[Answer]:
        if not self._outbox:
            return []
        answers, self._outbox = self._outbox, []
        return answers
