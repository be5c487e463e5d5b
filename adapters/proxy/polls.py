"""One getUpdates of a client: it waits for the turn here, then for the claim in the guard, and is sent anew.

A client without either gets an empty list, slowly: after the timeout that it asked for, never later, for
frameworks give up soon after (facts: frameworks, section 1). A 409 never reaches a client.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from aiohttp import web

from onepoller import process
from onepoller.adapters.proxy.answers import bad_gateway, content, nothing
from onepoller.adapters.proxy.line import Line
from onepoller.adapters.proxy.route import Route
from onepoller.adapters.proxy.turns import Client, Turn
from onepoller.adapters.proxy.upstream import POLL_LIMITS, Answer, Trouble, Upstream
from onepoller.coordination import driving
from onepoller.coordination.arguments import changed_arguments, request_of
from onepoller.coordination.identity import BotId
from onepoller.coordination.reply import outcome_of_content, result_of
from onepoller.coordination.stall import CallEnd
from onepoller.coordination.wire import Delivered, Manners, Outcome, Refused, Request

END_LIMIT = 2.0
"""Open polls have so long to be closed at the end, seconds."""
_MANNERS = Manners()
_ARGUMENTS = ("offset", "limit", "timeout", "allowed_updates")


class Elsewhere:
    """The caller, for the guard: no task of this process. That it has gone is seen by its connection."""

    def done(self) -> bool:
        """Not for all that is known."""
        return False


class Polls:
    """The getUpdates of all clients."""

    def __init__(self, poller: process.OnePoller, upstream: Upstream, *, lets_go: bool = True) -> None:
        self._poller = poller
        self._upstream = upstream
        self._loop = asyncio.get_running_loop()
        self.line = Line(poller.settings, self._let_go if lets_go else lambda _: None)
        self._open: set[Client] = set()
        self._ended: asyncio.Event | None = None
        self._caller = Elsewhere()

    async def serve(
        self, client: Client, route: Route, arguments: Mapping[str, str], headers: Mapping[str, str]
    ) -> web.Response:
        """Answer one getUpdates."""
        if self._ended is not None:
            client.end_request()
            return nothing()
        self._open.add(client)
        try:
            asked = request_of(arguments)
            deadline = self._loop.time() + asked.timeout
            turn = await self.line.take(route.bot_id, client, asked)
            if turn is None:
                return nothing()
            return await self._poll(
                client, turn, asked, deadline, PollWire(self._upstream, route, arguments, headers)
            )
        finally:
            self._open.discard(client)
            if self._ended is not None and not self._open:
                self._ended.set()

    async def end(self) -> None:
        """The proxy stops: no more polls. Those that are open are closed: their clients go elsewhere."""
        self._ended = asyncio.Event()
        for client in tuple(self._open):
            client.end_request()
        with suppress(TimeoutError):
            async with asyncio.timeout(END_LIMIT):
                while self._open:
                    await self._ended.wait()

    async def _poll(
        self, client: Client, turn: Turn, asked: Request, deadline: float, wire: PollWire
    ) -> web.Response:
        bot_id = wire.route.bot_id
        guard = self._poller.guard(bot_id)
        how, retry_after = CallEnd.EMPTY, 0.0
        try:
            wanted = asked
            if asked.timeout:
                left = deadline - self._loop.time()
                whole = float(math.ceil(left - 0.5))  # as the server takes them
                if whole < 1:
                    await asyncio.sleep(left)
                    return nothing()
                wanted = asked._replace(timeout=min(asked.timeout, whole))
            if not turn.has_delivered and 0 <= asked.offset < guard.offsets.acknowledged:
                # Who had the turn before has acknowledged more: this client starts where that one ended.
                wanted = wanted._replace(offset=guard.offsets.acknowledged)
            outcome = await driving.get_updates(guard, wanted, wire, caller=self._caller)
            match outcome:
                case Delivered(update_ids=ids) if ids:
                    how = CallEnd.BATCH
                    turn.delivered(client, ids[-1])
                case Refused():
                    how, retry_after = CallEnd.ERROR, outcome.retry_after
                    if outcome.status == 401:
                        self.line.refused(bot_id, client)
                case _:
                    pass
            return _response(outcome)
        except Trouble:
            how = CallEnd.ERROR
            return bad_gateway()
        except asyncio.CancelledError:
            how = CallEnd.CANCELLED
            raise
        finally:
            self.line.ended(bot_id, client, how, retry_after=retry_after)

    def _let_go(self, bot_id: BotId) -> None:
        """No client of this bot is left: whoever waits elsewhere may poll it."""
        guard = self._poller.instance.guards.get(bot_id)
        if guard is not None and not guard.has_open_call:
            self._poller.retire(bot_id)


class PollWire:
    """The wire of one getUpdates: always the same form, whichever of its many the client used."""

    __slots__ = ("_arguments", "_asked", "_headers", "_upstream", "api_root", "route")

    manners = _MANNERS

    def __init__(
        self, upstream: Upstream, route: Route, arguments: Mapping[str, str], headers: Mapping[str, str]
    ) -> None:
        self.api_root = upstream.root + ("/test" if route.is_test else "")
        self.route = route
        self._upstream = upstream
        self._arguments = {n: arguments[n] for n in _ARGUMENTS if n in arguments}
        self._asked = request_of(arguments)
        self._headers = headers

    async def poll(self, request: Request) -> Delivered | Refused:
        """Send one getUpdates."""
        answer = await self._upstream.fetch(
            self.route.path_of("getUpdates"),
            self._arguments | changed_arguments(self._asked, request),
            self._headers,
            limits=POLL_LIMITS,
        )
        return outcome_of_content(answer.status, answer.content, answer)

    async def ask(self, method: str) -> dict[str, Any]:
        """Send one read-only method."""
        answer = await self._upstream.fetch(self.route.path_of(method), {}, self._headers)
        return result_of(answer.status, answer.content)


def _response(outcome: Outcome) -> web.Response:
    if not isinstance(outcome, Delivered | Refused) or getattr(outcome, "status", 200) == 409:
        return nothing()
    answer: Answer = outcome.reply
    return content(answer.status, answer.content, answer.headers)
