"""A guarded `AsyncTeleBot`. Its polling ends where its task is cancelled."""

from __future__ import annotations

from typing import Any

from telebot import asyncio_helper
from telebot.async_telebot import AsyncTeleBot

from onepoller.adapters.telebot.bot import Call, GuardedBot, handed_on
from onepoller.coordination import bootstrap, driving, target
from onepoller.coordination.wire import Delivered, Manners, OnCancel, Refused, Request

_MANNERS = Manners(on_cancel=OnCancel.STOPPING, fetches_ahead=True)


class AsyncBot(GuardedBot):
    """Takes the place of an AsyncTeleBot's methods."""

    kind = AsyncTeleBot
    api = asyncio_helper
    timeout_name = "timeout"
    default_timeout = 0
    no_timeout = 0
    instead_of = ("get_updates", "set_webhook", "delete_webhook", "close_session")

    async def get_updates(self, **arguments: Any) -> list[Any]:
        """Poll in our turn; drop updates only where nobody else lives."""
        call = self.call(arguments)
        wire = _AsyncWire(self, call)
        if call.asked.offset >= 0:
            return handed_on(await driving.get_updates(self.guard, call.asked, wire))
        asked = self.may_drop()
        if asked is None or not (asked.holds_claim or not await self._has_peer()):
            return self.skipped()
        return self.dropped(await driving.get_updates(self.guard, call.asked._replace(timeout=0.0), wire))

    async def set_webhook(self, **arguments: Any) -> Any:
        """Sent; without a URL it deletes, and is ruled like that."""
        return await self._change_webhook("set_webhook", target.SET_WEBHOOK, arguments)

    async def delete_webhook(self, **arguments: Any) -> Any:
        """Sent, or answered as ruled."""
        return await self._change_webhook("delete_webhook", target.DELETE_WEBHOOK, arguments)

    async def close_session(self) -> None:
        """AsyncTeleBot ends its polling with this."""
        self.let_go()
        await self.methods["close_session"].original()

    async def _has_peer(self) -> bool:
        return await bootstrap.peer_lives(self.poller.instance.has_peer(self.bot_id))

    async def _change_webhook(self, name: str, method: str, arguments: dict[str, Any]) -> Any:
        asked = self.webhook_call(method, arguments)
        if asked is not None:
            url = (await self.bot.get_webhook_info()).url
            has_peer = asked.drops and await self._has_peer()
            ruling = self.ruled(asked, url=url, has_peer=has_peer)
            if ruling.answer is not None:
                return self.answered(name, ruling.answer)
            if ruling.is_undropped:
                arguments = arguments | {"drop_pending_updates": False}
        return await self.methods[name].original(**arguments)


class _AsyncWire:
    """The wire of one getUpdates."""

    manners = _MANNERS

    def __init__(self, bot: AsyncBot, call: Call) -> None:
        self._bot = bot
        self._call = call
        self.api_root = call.api_root

    async def poll(self, request: Request) -> Delivered | Refused:
        try:
            updates = await self._call.send(**self._call.arguments(request))
        except (asyncio_helper.ApiTelegramException, asyncio_helper.ApiHTTPException) as error:
            return self._bot.refused(error)
        return self._call.delivered(updates, request)

    async def ask(self, method: str) -> dict[str, Any]:
        assert method == target.GET_WEBHOOK_INFO
        found: dict[str, Any] = vars(await self._bot.bot.get_webhook_info())
        return found
