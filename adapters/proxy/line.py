"""The clients that wait for the turn of a bot, and the clock by which it is taken from a silent one.

Who has the turn is `turns`' decision; here are the futures. A client that waits costs one future and one
timer. A bot whose last client has left is let go, so that an instance elsewhere may poll it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from onepoller.adapters.proxy.turns import Client, Seat, Turn
from onepoller.coordination.identity import BotId
from onepoller.coordination.settings import Settings
from onepoller.coordination.stall import KEEP_LIMIT, CallEnd
from onepoller.coordination.wire import Request

SHORT_WAIT = 1.0
"""A short poll without the turn is answered at once, but one a second at most."""


class Line:
    """All bots of one proxy. `let_go` is called with a bot that nobody here polls any more."""

    def __init__(self, settings: Settings, let_go: Callable[[BotId], None]) -> None:
        self._settings = settings
        self._let_go = let_go
        self._loop = asyncio.get_running_loop()
        self._turns: dict[BotId, Turn] = {}
        self._waiting: dict[BotId, list[asyncio.Future[None]]] = {}
        self._answered: dict[BotId, float] = {}
        """When a short poll without the turn was last answered at once."""

    def has_client(self, bot_id: BotId) -> bool:
        """Whether a client here has the bot's turn."""
        turn = self._turns.get(bot_id)
        return turn is not None and not turn.is_free

    async def take(self, bot_id: BotId, client: Client, request: Request) -> Turn | None:
        """Wait for the turn as long as the request may take. None: that time is over, without the turn."""
        turn = self._turns.setdefault(bot_id, Turn())
        if self._ask(turn, client, request):
            if bot_id not in client.bots:
                client.bots += (bot_id,)
            return turn
        deadline = self._loop.time() + (request.timeout or self._short_wait(bot_id))
        while (left := deadline - self._loop.time()) > 0:
            await self._news(bot_id, min(left, turn.free_at(self._settings) - self._loop.time()))
            turn = self._turns.setdefault(bot_id, turn)
            if self._ask(turn, client, request):
                if bot_id not in client.bots:
                    client.bots += (bot_id,)
                return turn
        return None

    def ended(self, bot_id: BotId, client: Client, how: CallEnd, *, retry_after: float = 0.0) -> None:
        """The poll of a client has ended; those who wait learn how long it may be silent."""
        turn = self._turns.get(bot_id)
        if turn is not None:
            turn.ended(client, how, now=self._loop.time(), retry_after=retry_after)
            self._wake(bot_id)

    def refused(self, bot_id: BotId, client: Client) -> None:
        """Telegram refused the token of this client."""
        turn = self._turns.get(bot_id)
        if turn is not None:
            turn.refused(client)
            self._wake(bot_id)

    def closed(self, client: Client) -> None:
        """A connection has closed."""
        for bot_id in client.bots:
            turn = self._turns.get(bot_id)
            if turn is None:
                continue
            turn.closed(client)
            if turn.is_free:
                self._wake(bot_id)
                self._loop.call_later(KEEP_LIMIT, self._forget, bot_id)

    def begin_anew(self) -> None:
        """Every client that there was has ended, with whatever it had in hand: who comes now is the first."""
        self._answered.clear()
        for bot_id in list(self._turns):
            del self._turns[bot_id]
            self._wake(bot_id)

    def _ask(self, turn: Turn, client: Client, request: Request) -> bool:
        former = turn.client
        seat = turn.ask(
            client,
            offset=request.offset,
            timeout=request.timeout,
            now=self._loop.time(),
            settings=self._settings,
        )
        if seat is Seat.TAKEN_OVER and former is not None:
            former.end_request()
        return seat is not Seat.WAITS

    def _short_wait(self, bot_id: BotId) -> float:
        now = self._loop.time()
        last = self._answered.get(bot_id)
        if last is not None and now - last < SHORT_WAIT:
            return SHORT_WAIT
        self._answered[bot_id] = now
        return 0.0

    async def _news(self, bot_id: BotId, seconds: float) -> None:
        waiting = self._waiting.setdefault(bot_id, [])
        news: asyncio.Future[None] = self._loop.create_future()
        waiting.append(news)
        timer = self._loop.call_later(max(seconds, 0.0), _tell, news)
        try:
            await news
        finally:
            timer.cancel()
            if news in waiting:
                waiting.remove(news)
            if not waiting and self._waiting.get(bot_id) is waiting:
                del self._waiting[bot_id]

    def _wake(self, bot_id: BotId) -> None:
        for news in self._waiting.pop(bot_id, ()):
            _tell(news)

    def _forget(self, bot_id: BotId) -> None:
        turn = self._turns.get(bot_id)
        if turn is not None and turn.is_free:
            del self._turns[bot_id]
            self._answered.pop(bot_id, None)
            self._let_go(bot_id)


def _tell(news: asyncio.Future[None]) -> None:
    if not news.done():
        news.set_result(None)
