"""A guarded `TeleBot`, with threads or without. Its polling ends by `stop_polling()`, or by Ctrl-C."""

from __future__ import annotations

import threading
from typing import Any

from telebot import TeleBot, apihelper

from onepoller import process
from onepoller.adapters.telebot.bot import Call, GuardedBot, handed_on
from onepoller.adapters.telebot.calls import Calls
from onepoller.coordination import bootstrap, driving, target
from onepoller.coordination.events import Cause
from onepoller.coordination.wire import Delivered, Manners, OnCancel, Outcome, Refused, Request

_AHEAD = Manners(on_cancel=OnCancel.STOPPING, fetches_ahead=True)
_IN_TURN = Manners(on_cancel=OnCancel.STOPPING)
WAKE_EVERY = 0.02
"""A call that waits although polling was stopped is woken so often, seconds."""


class SyncBot(GuardedBot):
    """Takes the place of a TeleBot's methods."""

    kind = TeleBot
    api = apihelper
    timeout_name = "long_polling_timeout"
    no_timeout = 0.1
    """For 0 it sends its default; the server reads whole seconds (facts: server semantics, section 8)."""
    instead_of = ("get_updates", "set_webhook", "delete_webhook", "polling", "stop_polling")

    def __init__(self, bot: Any, poller: process.OnePoller | None) -> None:
        super().__init__(bot, poller)
        self._calls = Calls()

    @property
    def default_timeout(self) -> float:
        """A setting of telebot's module."""
        return float(apihelper.LONG_POLLING_TIMEOUT)

    def get_updates(self, **arguments: Any) -> list[Any]:
        """Poll in our turn; drop updates only where nobody else lives."""
        call = self.call(arguments)
        if call.asked.offset >= 0:
            return handed_on(self._serve(call, call.asked))
        asked = self.may_drop()
        if asked is None or not (asked.holds_claim or not self._has_peer()):
            return self.skipped()
        return self.dropped(self._serve(call, call.asked._replace(timeout=0.0)))

    def _serve(self, call: Call, request: Request) -> Outcome:
        number = self._calls.begin()
        try:
            wire = _SyncWire(self, call, calls=self._calls, number=number)
            return driving.get_updates_sync(self.guard, request, wire)
        finally:
            if self._calls.end():
                self.let_go()

    def polling(self, **arguments: Any) -> None:
        """Returns only where it was stopped; where it raises, it may be started again."""
        self.methods["polling"].original(**arguments)
        self._stopped()

    def stop_polling(self) -> None:
        """Say that polling ends; returns at once, as telebot's does."""
        self.methods["stop_polling"].original()
        self._stopped()

    def _stopped(self) -> None:
        stop = self._calls.stop()
        if stop is None:
            self.let_go()
            return
        # In a thread of its own: a signal handler may have come upon the very call that is to be ended.
        waker = threading.Thread(target=self._wake, args=(stop,), name="onepoller-stop", daemon=True)
        waker.start()

    def _wake(self, stop: int) -> None:
        """End a call that waits in standby or for a webhook; one whose poll is at Telegram ends with that."""
        guard = self.guard
        while not guard.drain.is_polling and not self._calls.wait_idle(stop, WAKE_EVERY):
            if guard.grant is not None:
                guard.claims.let_go(guard, Cause.STOPPED)
            guard.claims.unwant(guard)

    def set_webhook(self, **arguments: Any) -> Any:
        """Sent; without a URL it deletes, and is ruled like that."""
        return self._change_webhook("set_webhook", target.SET_WEBHOOK, arguments)

    def delete_webhook(self, **arguments: Any) -> Any:
        """Sent, or answered as ruled."""
        return self._change_webhook("delete_webhook", target.DELETE_WEBHOOK, arguments)

    def _has_peer(self) -> bool:
        return bootstrap.peer_lives_sync(self.poller.instance.has_peer(self.bot_id))

    def _change_webhook(self, name: str, method: str, arguments: dict[str, Any]) -> Any:
        asked = self.webhook_call(method, arguments)
        if asked is not None:
            url = self.bot.get_webhook_info().url
            has_peer = asked.drops and self._has_peer()
            ruling = self.ruled(asked, url=url, has_peer=has_peer)
            if ruling.answer is not None:
                return self.answered(name, ruling.answer)
            if ruling.is_undropped:
                arguments = arguments | {"drop_pending_updates": False}
        return self.methods[name].original(**arguments)


class _SyncWire:
    """The wire of one getUpdates."""

    def __init__(self, bot: SyncBot, call: Call, *, calls: Calls, number: int) -> None:
        self._bot = bot
        self._call = call
        self._calls = calls
        self._number = number
        self.api_root = call.api_root
        self.manners = _AHEAD if bot.bot.threaded else _IN_TURN

    def poll(self, request: Request) -> Delivered | Refused:
        if not self._calls.is_wanted(self._number):
            return Delivered(update_ids=(), reply=[])
        try:
            updates = self._call.send(**self._call.arguments(request))
        except (apihelper.ApiTelegramException, apihelper.ApiHTTPException) as error:
            return self._bot.refused(error)
        if not self._calls.is_wanted(self._number):
            updates = []  # not acknowledged: Telegram gives them to the next poll
        return self._call.delivered(updates, request)

    def ask(self, method: str) -> dict[str, Any]:
        assert method == target.GET_WEBHOOK_INFO
        found: dict[str, Any] = vars(self._bot.bot.get_webhook_info())
        return found
