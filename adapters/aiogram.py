"""aiogram 3: `guard(bot)`, and the dispatcher polls this bot only while it is this process's turn.

One request middleware on the bot's session, registered by public means, sees `GetUpdates` and the calls that
change a webhook; everything else goes through at once. In standby `GetUpdates` takes its time and brings no
updates. Sessions of your own and shared ones, base URLs, other middlewares and several bots in one dispatcher
stay as they are: only bots that were given to `guard` are guarded.

Not seen: a session that is given to the bot afterwards, and one whose `__call__` passes its middlewares by.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import aiogram

from onepoller import process
from onepoller.coordination import bootstrap, driving, target
from onepoller.coordination.arguments import changed_arguments, request_of
from onepoller.coordination.bootstrap import WebhookCall
from onepoller.coordination.errors import SetupError
from onepoller.coordination.identity import BotId
from onepoller.coordination.target import target_of
from onepoller.coordination.wire import Delivered, Manners, Nothing, OnCancel, Refused, Request

try:
    from aiogram import Bot, exceptions
    from aiogram.client.session.middlewares.base import BaseRequestMiddleware, NextRequestMiddlewareType
    from aiogram.client.session.middlewares.manager import RequestMiddlewareManager
    from aiogram.methods import DeleteWebhook, GetUpdates, GetWebhookInfo, SetWebhook, TelegramMethod
    from aiogram.methods.base import Response, TelegramType
except ImportError as error:
    raise SetupError(
        f"aiogram {aiogram.__version__} has no request middlewares: use a version that onepoller[aiogram] "
        "allows"
    ) from error

Send = NextRequestMiddlewareType[Any]
_Guarded = TypeVar("_Guarded", bound=Bot)

# It handles a batch in tasks and polls again at once; but with `handle_as_tasks=False` or a
# `tasks_concurrency_limit`, which no middleware can see, it may handle first. To allow that loses nothing:
# else its next call is open before any handler runs, and a polling task that has ended is noticed.
MANNERS = Manners(on_cancel=OnCancel.STOPPING, fetches_ahead=False)
_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (exceptions.TelegramConflictError, 409),
    (exceptions.TelegramUnauthorizedError, 401),
    (exceptions.TelegramRetryAfter, 429),
    (exceptions.TelegramServerError, 500),
    (exceptions.TelegramNotFound, 404),
    (exceptions.TelegramForbiddenError, 403),
    (exceptions.TelegramBadRequest, 400),
)
_UNKNOWN = 0
"""aiogram keeps no status: an error of another class had one that nobody can tell."""


def guard(bot: _Guarded, poller: process.OnePoller | None = None) -> _Guarded:
    """Guard a bot. Returns it.

    `poller` None: the one of this process (`onepoller.default()`).
    Raises SetupError where the settings, the bot or its session do not fit.
    """
    (poller or process.default()).prepare()  # wrong settings are told here, never inside a retry loop
    if not isinstance(bot, Bot):
        raise SetupError(f"guard takes an aiogram Bot, not a {type(bot).__name__}: call guard(bot)")
    middlewares = getattr(bot.session, "middleware", None)
    if not isinstance(middlewares, RequestMiddlewareManager):
        raise SetupError(
            f"{type(bot.session).__name__} has no request middlewares: a session of your own must keep those "
            "of aiogram's BaseSession"
        )
    turns = next((m for m in middlewares if isinstance(m, Turns)), None)
    if turns is None:  # a second one would take the calls of the first for a second poller
        turns = Turns()
        middlewares.register(turns)
    turns.guard(BotId(bot.id), poller)
    return bot


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """One guarded bot."""

    bot_id: BotId
    given: process.OnePoller | None
    webhooks: bootstrap.Webhooks = field(default_factory=bootstrap.Webhooks)

    @property
    def poller(self) -> process.OnePoller:
        return self.given or process.default()


class Turns(BaseRequestMiddleware):
    """The middleware of one session: calls of its guarded bots wait for their turn."""

    def __init__(self) -> None:
        self._bots: dict[int, _Known] = {}

    def __repr__(self) -> str:
        return f"<Turns of {', '.join(f'bot {bot_id}' for bot_id in self._bots)}>"

    def guard(self, bot_id: BotId, poller: process.OnePoller | None) -> None:
        """Guard one more bot of this session; once is enough."""
        self._bots.setdefault(bot_id, _Known(bot_id=bot_id, given=poller))

    async def __call__(
        self,
        make_request: NextRequestMiddlewareType[TelegramType],
        bot: Bot,
        method: TelegramMethod[TelegramType],
    ) -> Response[TelegramType]:
        """Send a request: getUpdates in its turn, webhook calls as ruled, everything else at once."""
        known = self._bots.get(bot.id)
        if known is None:
            return await make_request(bot, method)
        result: Any
        if isinstance(method, GetUpdates):
            result = await self._get_updates(make_request, bot, method, known)
        elif isinstance(method, DeleteWebhook | SetWebhook):
            result = await self._change_webhook(make_request, bot, method, known)
        else:
            return await make_request(bot, method)
        return cast("Response[TelegramType]", result)  # in truth `TelegramType`: what a session returns

    async def _get_updates(self, send: Send, bot: Bot, method: GetUpdates, known: _Known) -> Any:
        wire = _Polls(send, bot, method)
        outcome = await driving.get_updates(known.poller.guard(known.bot_id), wire.asked, wire)
        if isinstance(outcome, Nothing):
            return []
        if isinstance(outcome.reply, Exception):
            raise outcome.reply
        return outcome.reply

    async def _change_webhook(
        self, send: Send, bot: Bot, method: DeleteWebhook | SetWebhook, known: _Known
    ) -> Any:
        poller = known.poller
        arguments = {name: getattr(method, name, None) for name in ("url", "drop_pending_updates")}
        asked = WebhookCall.of(poller.guard(known.bot_id), method.__api_method__.lower(), arguments)
        if known.webhooks.is_sent(asked):
            return await send(bot, method)
        info: Any = await send(bot, GetWebhookInfo())
        ruling = known.webhooks.rule(
            asked,
            url=info.url,
            has_peer=asked.drops and await bootstrap.peer_lives(poller.instance.has_peer(known.bot_id)),
            policy=poller.settings.on_webhook,
        )
        for event in ruling.events:
            poller.emit(event)
        if ruling.answer is not None:
            status, body = ruling.answer
            return bot.session.check_response(bot, method, status, body.decode()).result
        if ruling.is_undropped:
            return await send(bot, method.model_copy(update={"drop_pending_updates": None}))
        return await send(bot, method)


class _Polls:
    """The wire of one getUpdates."""

    __slots__ = ("_bot", "_method", "_send", "api_root", "asked")
    manners = MANNERS

    def __init__(self, send: Send, bot: Bot, method: GetUpdates) -> None:
        self._send = send
        self._bot = bot
        self._method = method
        self.api_root = _api_root(bot)
        self.asked = request_of({n: getattr(method, n) for n in ("offset", "limit", "timeout")})

    async def poll(self, request: Request) -> Delivered | Refused:
        """Send it as it came, or a changed copy: the dispatcher goes on with its own."""
        method = self._method
        if request != self.asked:
            method = method.model_copy(update=changed_arguments(self.asked, request))
        try:
            updates: Any = await self._send(self._bot, method)
        except exceptions.TelegramNetworkError:
            raise  # no answer of Telegram, although aiogram derives it from those
        except (exceptions.TelegramAPIError, exceptions.ClientDecodeError) as error:
            return _refused(error)
        if not isinstance(updates, list):
            return Refused(status=200, text="", reply=updates)  # a 200 without a result
        return Delivered(update_ids=tuple(update.update_id for update in updates), reply=updates)

    async def ask(self, method: str) -> dict[str, Any]:
        """Call getWebhookInfo: the one read-only method that a guard asks for."""
        assert method == target.GET_WEBHOOK_INFO
        info: Any = await self._send(self._bot, GetWebhookInfo())
        return {"url": info.url, "pending_update_count": info.pending_update_count}


def _refused(error: exceptions.TelegramAPIError | exceptions.ClientDecodeError) -> Refused:
    """The outcome whose reply is the very error that aiogram raised."""
    return Refused(
        status=next((status for kind, status in _STATUS if isinstance(error, kind)), _UNKNOWN),
        text=error.message,
        reply=error,
        retry_after=float(getattr(error, "retry_after", 0)),
    )


def _api_root(bot: Bot) -> str:
    """Where this bot's Bot API is, now: a session's server may be changed while it is used."""
    url = bot.session.api.api_url(token=f"{bot.id}:0", method="getUpdates")
    found = target_of(url)
    # A URL of the user's own shape has its token where we cannot know; this one held none.
    return url if found is None else found.api_root
