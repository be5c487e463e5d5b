"""python-telegram-bot: `guard(builder)`, and the application polls only while it is this process's turn.

It wraps the two request objects of the finished bot, so every option of the builder, your own request objects
and the callbacks stay as they are. In standby `getUpdates` takes its time and brings no updates. One private
name is used, `Bot._request`, in one function (`_wrap`); its shape is the same from 20.8 to 22.8.

Not guarded: an application whose builder is given an `application_class` of its own. There, and wherever else
`guard(builder)` does not fit, call `guard(application)` after `build()`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import httpx
import telegram
from telegram.error import TimedOut
from telegram.ext import Application, ApplicationBuilder
from telegram.request import BaseRequest, RequestData

from onepoller import process
from onepoller.coordination import bootstrap, driving, target
from onepoller.coordination.arguments import changed_arguments, request_of
from onepoller.coordination.errors import SetupError
from onepoller.coordination.identity import BotId, bot_id_of
from onepoller.coordination.reply import EMPTY_BODY, outcome_of_content, result_of
from onepoller.coordination.target import Target, sibling, target_of
from onepoller.coordination.wire import Delivered, Manners, Nothing, OnCancel, Refused, Request

Reply = tuple[int, bytes]
AnyApplication = Application[Any, Any, Any, Any, Any, Any]
AnyBuilder = ApplicationBuilder[Any, Any, Any, Any, Any, Any]
_Guarded = TypeVar("_Guarded", bound=AnyApplication | AnyBuilder)

MANNERS = Manners(on_cancel=OnCancel.STOPPING, fetches_ahead=True)
CONFIRM_LIMIT = 2.0
"""So long `shutdown` waits for a last confirm that is on its way, seconds."""
POOL_TIMEOUTS = 2
"""So many in a row mean that the client's pool has lost its connection for good: it is built anew."""
_EMPTY = (200, EMPTY_BODY)


def guard(application: _Guarded, poller: process.OnePoller | None = None) -> _Guarded:
    """Guard an application, or the one that this builder will build. Returns what it was given.

    `poller` None: the one of this process (`onepoller.default()`).
    Raises SetupError where the settings or the installed python-telegram-bot do not fit.
    """
    (poller or process.default()).prepare()  # wrong settings are told here, never inside a retry loop
    if isinstance(application, ApplicationBuilder):
        application.application_class(_GuardedApplication, kwargs={"poller": poller})
    else:
        _wrap(application, poller)
    return application


class _GuardedApplication(AnyApplication):
    """What a guarded builder builds."""

    def __init__(self, *, poller: process.OnePoller | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        _wrap(self, poller)


def _wrap(application: AnyApplication, poller: process.OnePoller | None) -> None:
    bot = application.bot
    pair = getattr(bot, "_request", None)
    if not (isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(r, BaseRequest) for r in pair)):
        raise SetupError(
            f"python-telegram-bot {telegram.__version__} keeps its request objects elsewhere (Bot._request): "
            "use a version that onepoller[ptb] allows"
        )
    bot._request = tuple(  # noqa: SLF001  # the one private name of this adapter
        r if isinstance(r, GuardedRequest) else GuardedRequest._of(r, poller, application)  # noqa: SLF001  # ours
        for r in pair
    )


class GuardedRequest(BaseRequest):
    """A request object that waits for its turn; for a `Bot` made by hand, wrap both of its request objects.

    `inner` does the work, and keeps its options, its JSON parser and its other attributes.
    """

    def __init__(self, inner: BaseRequest, poller: process.OnePoller | None = None) -> None:
        (poller or process.default()).prepare()
        self._inner = inner
        self._poller = poller
        self._bot_id: BotId | None = None
        self._is_starting: Callable[[], bool] = lambda: True
        self._url = ""
        self._target: Target | None = None
        self._polled: BotId | None = None
        self._calls: set[asyncio.Task[Any]] = set()
        self._pool = _Pool()
        self._webhooks = bootstrap.Webhooks()
        self.parse_json_payload = inner.parse_json_payload  # type: ignore[method-assign]  # users replace it

    @classmethod
    def _of(
        cls, inner: BaseRequest, poller: process.OnePoller | None, application: AnyApplication
    ) -> GuardedRequest:
        made = cls(inner, poller)
        made._bot_id = bot_id_of(application.bot.token)
        made._is_starting = lambda: application.updater is None or application.updater.running
        return made

    def __repr__(self) -> str:
        return f"<GuardedRequest of {type(self._inner).__name__}>"

    def __getattr__(self, name: str) -> Any:
        if name == "_inner":  # not set yet: a copy, or an error in __init__
            raise AttributeError(name)
        return getattr(self._inner, name)

    @property
    def read_timeout(self) -> float | None:
        """As the inner one says."""
        return self._inner.read_timeout

    async def initialize(self) -> None:
        """Begin."""
        await self._inner.initialize()

    async def shutdown(self) -> None:
        """End: a last confirm gets through, the claim of a bot that was polled here is released."""
        calls = self._calls - {asyncio.current_task()}
        if calls:
            await asyncio.wait(calls, timeout=CONFIRM_LIMIT)
        if self._polled is not None:
            self._retire(self._polled)
            self._polled = None
        await self._inner.shutdown()

    async def do_request(  # noqa: PLR0917  # the signature is python-telegram-bot's
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: object = BaseRequest.DEFAULT_NONE,
        write_timeout: object = BaseRequest.DEFAULT_NONE,
        connect_timeout: object = BaseRequest.DEFAULT_NONE,
        pool_timeout: object = BaseRequest.DEFAULT_NONE,
    ) -> Reply:
        """Send a request: getUpdates in its turn, start-up calls as ruled, everything else at once."""
        if url != self._url:
            self._url, self._target = url, self._read(url)
        aim = self._target
        options = {
            "method": method,
            "read_timeout": read_timeout,
            "write_timeout": write_timeout,
            "connect_timeout": connect_timeout,
            "pool_timeout": pool_timeout,
        }
        if aim is not None and aim.method == target.GET_UPDATES:
            # No call of its own: what is awaited within a poll is resumed at each of its steps.
            wire = _Polls(self._inner, url, request_data, options, aim.api_root, self._pool)
            task = asyncio.current_task()
            assert task is not None
            self._polled = aim.bot_id
            self._calls.add(task)
            try:
                guarded = (self._poller or process.default()).guard(aim.bot_id)
                outcome = await driving.get_updates(guarded, wire.asked, wire)
            finally:
                self._calls.discard(task)
            reply: Reply = _EMPTY if isinstance(outcome, Nothing) else outcome.reply
            return reply
        call = _Call(self._inner, url, request_data, options)
        if aim is None or aim.method not in target.GUARDED:
            return await call.send(url, request_data)
        return await self._change_webhook(call, aim)

    def _read(self, url: str) -> Target | None:
        found = target_of(url)
        if found is None and self._bot_id is not None:
            # A base_url of the user's own shape: the token may stand anywhere in its path.
            root = urlsplit(url).hostname or ""
            return Target(bot_id=self._bot_id, api_root=root, method=url.rpartition("/")[2].lower())
        return found

    def _the_poller(self) -> process.OnePoller:
        return self._poller or process.default()

    def _retire(self, bot_id: BotId) -> None:
        poller = self._the_poller()
        guarded = poller.instance.guards.get(bot_id)
        if guarded is not None and not guarded.has_open_call:  # else another application here polls it
            poller.retire(bot_id)

    async def _change_webhook(self, call: _Call, aim: Target) -> Reply:
        poller = self._the_poller()
        asked = bootstrap.WebhookCall.of(
            poller.guard(aim.bot_id), aim.method, call.parameters, is_start=self._is_starting()
        )
        if self._webhooks.is_sent(asked):
            return await call.send(call.url, call.data)
        status, content = await call.send(sibling(call.url, target.GET_WEBHOOK_INFO), None)
        if status // 100 != 2:
            return status, content
        ruling = self._webhooks.rule(
            asked,
            url=str(result_of(status, content).get("url", "")),
            has_peer=asked.drops and await bootstrap.peer_lives(poller.instance.has_peer(aim.bot_id)),
            policy=poller.settings.on_webhook,
        )
        for event in ruling.events:
            poller.emit(event)
        if ruling.answer is not None:
            return ruling.answer
        return await call.send(call.url, None if ruling.is_undropped else call.data)


class _Call:
    """One call of python-telegram-bot, to be sent as it is or changed."""

    __slots__ = ("data", "inner", "options", "url")

    def __init__(
        self, inner: BaseRequest, url: str, data: RequestData | None, options: dict[str, Any]
    ) -> None:
        self.inner = inner
        self.url = url
        self.data = data
        self.options = options
        """The method, and the timeouts for reading, writing, connecting, and for a slot in the pool."""

    @property
    def parameters(self) -> dict[str, Any]:
        """As the user gave them."""
        return {} if self.data is None else self.data.parameters

    async def send(self, url: str, data: RequestData | None) -> Reply:
        """Send it, with the timeouts of this call."""
        return await self.inner.do_request(url=url, request_data=data, **self.options)


class _Pool:
    """The connection pool of a getUpdates client, which may lose its only connection for good."""

    __slots__ = ("in_a_row",)

    def __init__(self) -> None:
        self.in_a_row = 0
        """So many calls have waited for a connection in vain."""

    async def timed_out(self, error: TimedOut, inner: BaseRequest) -> None:
        """Count it, if it is one of those; the second in a row builds the client anew."""
        self.in_a_row = self.in_a_row + 1 if isinstance(error.__cause__, httpx.PoolTimeout) else 0
        if self.in_a_row >= POOL_TIMEOUTS:
            self.in_a_row = 0
            try:
                await inner.shutdown()
            finally:  # also where we are cancelled meanwhile
                await inner.initialize()


class _Polls(_Call):
    """The wire of one getUpdates."""

    __slots__ = ("_pool", "api_root", "asked")
    manners = MANNERS

    def __init__(  # noqa: PLR0917  # made for each poll
        self,
        inner: BaseRequest,
        url: str,
        data: RequestData | None,
        options: dict[str, Any],
        api_root: str,
        pool: _Pool,
    ) -> None:
        self.inner = inner
        self.url = url
        self.data = data
        self.options = options
        self.api_root = api_root
        self._pool = pool
        self.asked = request_of({} if data is None else data.parameters)

    async def poll(self, request: Request) -> Delivered | Refused:
        """Send it as it came, or with changed parameters in the query, where the server looks first."""
        url, data = self.url, self.data
        if request is not self.asked:
            url, data = self._changed(request), None
        try:
            status, content = reply = await self.inner.do_request(url=url, request_data=data, **self.options)
        except TimedOut as error:
            await self._pool.timed_out(error, self.inner)
            raise
        self._pool.in_a_row = 0
        return outcome_of_content(status, content, reply)

    def _changed(self, request: Request) -> str:
        """The whole call as a URL: a `RequestData` cannot be made by public means."""
        given = {} if self.data is None else self.data.json_parameters
        return f"{self.url}?{urlencode(given | changed_arguments(self.asked, request))}"

    async def ask(self, method: str) -> dict[str, Any]:
        """Call a read-only method."""
        return result_of(*await self.send(sibling(self.url, method), None))
