"""What the two kinds of guarded bot have in common: their methods, one call of getUpdates, start-up calls."""

from __future__ import annotations

import inspect
import json
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from telebot.version import __version__

from onepoller import process
from onepoller.coordination import bootstrap, target
from onepoller.coordination.arguments import changed_arguments, request_of
from onepoller.coordination.bootstrap import WebhookCall
from onepoller.coordination.errors import SetupError
from onepoller.coordination.events import Cause, WebhookCallGuarded
from onepoller.coordination.guard import Guard
from onepoller.coordination.identity import bot_id_of
from onepoller.coordination.reply import outcome_of
from onepoller.coordination.target import target_of
from onepoller.coordination.wire import Delivered, Nothing, Outcome, Refused, Request

_DEFAULT_ROOT = "https://api.telegram.org/bot{0}/{1}"


class Method:
    """One method of a guarded bot."""

    def __init__(self, original: Any, instead: Any, signature: inspect.Signature) -> None:
        self.original = original
        self._instead = instead
        self._signature = signature
        self.__doc__ = original.__doc__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call what stands in its place; that takes every argument by its name."""
        if args:
            kwargs = self._signature.bind(*args, **kwargs).arguments
        return self._instead(**kwargs)

    def default(self, name: str) -> Any:
        """What the method takes where this argument is not given."""
        return self._signature.parameters[name].default


class GuardedBot:
    """What both kinds of bot have in common."""

    kind: type
    """telebot's class."""
    api: Any
    """telebot's module of API functions."""
    timeout_name: str
    """The argument of `get_updates` that is the timeout at the server."""
    no_timeout: float
    """What makes telebot send none, or one that the server reads as 0."""
    instead_of: tuple[str, ...]

    def __init__(self, bot: Any, poller: process.OnePoller | None) -> None:
        self.bot = bot
        self.bot_id = bot_id_of(bot.token)
        self._own_poller = poller
        self._webhooks = bootstrap.Webhooks()
        self.methods: dict[str, Method] = {}

    def take_place(self) -> None:
        """Be called instead of the bot's own methods."""
        missing = [name for name in self.instead_of if not callable(getattr(self.bot, name, None))]
        if missing:
            raise SetupError(
                f"pyTelegramBotAPI {__version__} has no {type(self.bot).__name__}."
                f"{missing[0]}: use a version that onepoller[telebot] allows"
            )
        for name in self.instead_of:
            # telebot's own signature: a subclass may take what it hands on as **kwargs
            own = inspect.getattr_static(self.kind, name).__get__(self.bot)
            self.methods[name] = Method(getattr(self.bot, name), getattr(self, name), inspect.signature(own))
            setattr(self.bot, name, self.methods[name])

    @property
    def default_timeout(self) -> float:
        """What telebot sends as the timeout where it is given none or 0."""
        return 0.0

    @property
    def poller(self) -> process.OnePoller:
        """The process's, unless the user gave one."""
        return self._own_poller or process.default()

    @property
    def guard(self) -> Guard:
        """This bot's; in a forked child another one."""
        return self.poller.guard(self.bot_id)

    @property
    def api_root(self) -> str:
        """Where telebot sends its requests, as its module says at this moment."""
        url = (self.api.API_URL or _DEFAULT_ROOT).format(f"{self.bot_id}:-", "getUpdates")
        aim = target_of(url)
        # A URL of the user's own shape: its host is enough to tell one server from another.
        return aim.api_root if aim is not None else urlsplit(url).hostname or ""

    def call(self, arguments: dict[str, Any]) -> Call:
        """Read a getUpdates."""
        method, name = self.methods["get_updates"], self.timeout_name
        return Call(
            send=method.original,
            arguments=arguments,
            timeout_name=name,
            timeout=arguments.get(name, method.default(name)) or self.default_timeout,
            none=self.no_timeout,
            api_root=self.api_root,
        )

    def refused(self, error: Any) -> Refused:
        """Telegram's refusal, from what telebot raises for it."""
        result = error.result
        status = result.status_code if hasattr(result, "status_code") else result.status
        outcome = outcome_of(status, getattr(error, "result_json", None), error)
        assert isinstance(outcome, Refused)
        return outcome

    def let_go(self) -> None:
        """Polling has ended: release the claim, or leave the line."""
        guard = self.poller.instance.guards.get(self.bot_id)
        if guard is not None and not guard.has_open_call:
            guard.claims.let_go(guard, Cause.STOPPED)

    # Start-up calls

    def may_drop(self) -> WebhookCall | None:
        """A call that drops updates: None where it must not be sent, whoever else lives."""
        asked = WebhookCall.of(self.guard, target.GET_UPDATES, {"drop_pending_updates": True})
        return asked if asked.holds_claim or asked.is_start else None

    def skipped(self) -> list[Any]:
        """Answer a call that drops updates as done."""
        self.poller.emit(WebhookCallGuarded(bot_id=self.bot_id, answer="drop_skipped", detail=""))
        return []

    def dropped(self, outcome: Outcome) -> list[Any]:
        """What a call that drops updates brought."""
        self.guard.offsets.refetched()  # what is gone was not missed, and its last update comes again
        return self.skipped() if isinstance(outcome, Nothing) else handed_on(outcome)

    def ruled(self, asked: WebhookCall, *, url: str, has_peer: bool) -> bootstrap.Ruling:
        """Judge a webhook call, and tell it."""
        policy = self.poller.settings.on_webhook
        ruling = self._webhooks.rule(asked, url=url, has_peer=has_peer, policy=policy)
        for event in ruling.events:
            self.poller.emit(event)
        return ruling

    def webhook_call(self, method: str, arguments: dict[str, Any]) -> WebhookCall | None:
        """The webhook call that needs a ruling, if it does."""
        asked = WebhookCall.of(self.guard, method, arguments)
        return None if self._webhooks.is_sent(asked) else asked

    def answered(self, name: str, answer: tuple[int, bytes]) -> bool:
        """Answer as telebot does: True, or its exception."""
        status, body = answer
        if status == 200:
            return True
        result = SimpleNamespace(status_code=status, status=status, text=body.decode())
        raise self.api.ApiTelegramException(name, result, json.loads(body))


class Call:
    """One getUpdates of telebot, to be sent as it is or changed."""

    def __init__(
        self,
        *,
        send: Any,
        arguments: dict[str, Any],
        timeout_name: str,
        timeout: float,
        none: float,
        api_root: str,
    ) -> None:
        self.send = send
        self.api_root = api_root
        self.asked = request_of(arguments | {"timeout": timeout})
        self._arguments = arguments
        self._timeout_name = timeout_name
        self._none = none

    def arguments(self, wanted: Request) -> dict[str, Any]:
        """The arguments that make telebot send this request."""
        if wanted == self.asked:
            return self._arguments
        changed: dict[str, Any] = changed_arguments(self.asked, wanted)
        if "timeout" in changed:
            changed[self._timeout_name] = changed.pop("timeout") or self._none
        return self._arguments | changed

    def delivered(self, updates: list[Any], request: Request) -> Delivered:
        """What the call brought; where it drops updates, nothing that is to be accounted for."""
        ids = () if request.offset < 0 else tuple(update.update_id for update in updates)
        return Delivered(update_ids=ids, reply=updates)


def handed_on(outcome: Outcome) -> list[Any]:
    """What telebot is given: its own updates, its own exception, or an empty list."""
    if isinstance(outcome, Nothing):
        return []
    if isinstance(outcome, Refused):
        raise outcome.reply
    updates: list[Any] = outcome.reply
    return updates
