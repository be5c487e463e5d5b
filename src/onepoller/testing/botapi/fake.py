"""`FakeBotApi`: the fake in the event loop of a test."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from onepoller.testing.botapi import faults
from onepoller.testing.botapi.journal import POLL, Journal, Pushed, Row
from onepoller.testing.botapi.rules import FAITHFUL, Rules
from onepoller.testing.botapi.server import Server

PATIENCE = 10.0


class FakeBotApi:
    """A fake Bot API that listens on a free port of the loopback while its `async with` block runs.

        async with FakeBotApi() as fake:
            fake.push(123456789, 3)
            ...  # a bot whose API root is fake.url
            row = await fake.wait_for(lambda row: row.how == "updates")

    Every well-formed token is good until it is revoked (`Rules.only_known_tokens` changes that).
    """

    def __init__(
        self, *, rules: Rules = FAITHFUL, seed: int = 0, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self._rules = rules
        self._seed = seed
        self._address = (host, port)
        self._server: Server | None = None

    def __repr__(self) -> str:
        return f"<FakeBotApi {self._server!r}>"

    async def __aenter__(self) -> Self:
        server = Server(rules=self._rules, seed=self._seed)
        await server.start(*self._address)
        self._server = server
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.server.stop()

    @property
    def server(self) -> Server:
        """The server itself; `server.api` is the core. Call `server.pump()` after changing anything there."""
        assert self._server is not None, "use it inside its async with block"
        return self._server

    @property
    def url(self) -> str:
        """The API root, such as http://127.0.0.1:40123."""
        return self.server.url

    @property
    def journal(self) -> Journal:
        """What happened, as live rows."""
        return self.server.api.journal

    def now(self) -> float:
        """Read the clock of the journal."""
        return self.server.now()

    def push(
        self, bot_id: int, count: int = 1, *, kind: str = "message", date: int | None = None
    ) -> list[Pushed]:
        """Make numbered updates for a bot."""
        made = self.server.api.push(bot_id, count, now=self.now(), kind=kind, date=date)
        self.server.pump()
        return made

    def push_every(self, bot_id: int, seconds: float, count: int, *, kind: str = "message") -> None:
        """Make one update now and then one every so many seconds, `count` in all."""
        self.server.api.guests.start_source(bot_id, every=seconds, count=count, now=self.now(), kind=kind)
        self.server.pump()

    def set_webhook(self, bot_id: int, url: str) -> None:
        """Have a foreign program set a webhook; an empty url deletes it."""
        self.server.api.guests.set_webhook(bot_id, url, now=self.now())
        self.server.pump()

    def start_rival(self, bot_id: int, behaviour: str = "ptb", *, name: str = "", after: float = 0.0) -> str:
        """Have a foreign poller poll a bot; gives its name in the journal."""
        name = self.server.api.guests.start_rival(bot_id, behaviour, now=self.now(), name=name, after=after)
        self.server.pump()
        return name

    def stop_rival(self, name: str) -> None:
        """End a rival as if it were killed."""
        self.server.api.guests.stop_rival(name, now=self.now())
        self.server.pump()

    def revoke(self, bot_id: int) -> None:
        """Have the tokens of a bot refused."""
        self.server.api.revoke(bot_id, now=self.now())
        self.server.pump()

    def authorise(self, token: str) -> None:
        """Have one token accepted."""
        self.server.api.authorise(token)

    def fault(
        self,
        bot_id: int,
        kind: str | None = None,
        *,
        times: int = 1,
        method: str = POLL,
        poller: str = "",
        **answer: Any,
    ) -> None:
        """Have the next matching calls answered with a fault: a name, or `status`, `body`, `retry_after`."""
        wanted = answer if kind is None else {"kind": kind, **answer}
        fault = faults.Fault(
            answer=faults.answer_of(wanted), times=times, method=method.lower(), poller=poller
        )
        self.server.api.inject(bot_id, fault)

    def rows(self, bot_id: int | None = None) -> list[Row]:
        """Give the rows of one bot, or all."""
        rows = self.journal.rows()
        return rows if bot_id is None else [row for row in rows if row.bot_id == bot_id]

    async def wait_for(
        self,
        predicate: Callable[[Row], bool],
        *,
        count: int = 1,
        after: int = 0,
        timeout: float = PATIENCE,
    ) -> Row:
        """Wait until `count` rows beyond the number `after` satisfy a predicate; gives the last of them.

        Raises:
            TimeoutError: they did not in time.

        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while True:
            version = self.journal.version
            found = [row for row in self.journal.rows() if row.seq > after and predicate(row)]
            if len(found) >= count:
                return found[count - 1]
            left = deadline - loop.time()
            if left <= 0:
                raise TimeoutError(f"{len(found)} of {count} such rows after {timeout} s: {self.journal!r}")
            changed = asyncio.Event()
            self.server.when_changed(version, left, changed.set)
            await changed.wait()
