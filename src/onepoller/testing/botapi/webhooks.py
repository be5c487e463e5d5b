"""setWebhook, deleteWebhook and getWebhookInfo of one token.

A webhook stands in the way of every getUpdates from the moment its setting is accepted. Setting one evicts
the parked poll, even if the address turns out to be invalid; deleting one never does. Updates are not sent
to the webhook: they stay in the queue.
"""

import re
from dataclasses import dataclass
from enum import Enum, unique
from typing import Any

from onepoller.testing.botapi import kinds, webhook_url
from onepoller.testing.botapi.bot import Bot
from onepoller.testing.botapi.pacing import LONG_AGO, Conflicts
from onepoller.testing.botapi.parameters import allowed_updates, clamped, is_true
from onepoller.testing.botapi.polling import Polls
from onepoller.testing.botapi.query import Desk, Query
from onepoller.testing.botapi.replies import Reply, error, result, retry_after

DEFAULT_CONNECTIONS = 40
MOST_CONNECTIONS = 100
LONGEST_SECRET = 256
LARGEST_CERTIFICATE = 3 << 20
BETWEEN_SETS = 1.0
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")


@unique
class Stage(Enum):
    """What a setting that is under way waits for."""

    CLOSING = "closing"  # the old webhook
    COPYING = "copying"  # the certificate
    VERIFYING = "verifying"  # the new webhook


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """The settings of a webhook; an empty `url` means none."""

    url: str = ""
    max_connections: int = 0
    ip: str = ""
    is_ip_fixed: bool = False
    secret: str = ""
    has_certificate: bool = False


NONE = Webhook()


def requested(query: Query) -> Webhook:
    """Read the settings that a call asks for; deleteWebhook asks for none."""
    arguments = query.call.arguments
    url = arguments.get("url", "") if query.row.method == "setwebhook" else ""
    if not url:
        return NONE
    return Webhook(
        url=url,
        max_connections=clamped(
            arguments, "max_connections", DEFAULT_CONNECTIONS, low=1, high=MOST_CONNECTIONS
        ),
        ip=arguments.get("ip_address", ""),
        is_ip_fixed=bool(arguments.get("ip_address")),
        secret=arguments.get("secret_token", ""),
        has_certificate="certificate" in query.call.files,
    )


def invalidity(wanted: Webhook, query: Query) -> str:
    """Give the reason for which settings are refused before they are tried, or an empty text."""
    if webhook_url.parse(wanted.url) is None:
        return "invalid webhook URL specified"
    if len(wanted.secret) > LONGEST_SECRET:
        return "secret token is too long"
    if _BASE64URL.fullmatch(wanted.secret) is None:
        return "secret token contains unallowed characters"
    size = query.call.files.get("certificate", 0)
    return f"certificate size is too big ({size} bytes)" if size > LARGEST_CERTIFICATE else ""


class Webhooks:
    """The webhook of one token, and the setting that is under way."""

    def __init__(self, desk: Desk, bot: Bot, polls: Polls, conflicts: Conflicts, now: float) -> None:
        self._desk = desk
        self._bot = bot
        self._polls = polls
        self._conflicts = conflicts
        self._last_set = now - LONG_AGO
        self._pending: Query | None = None
        self._stage = Stage.CLOSING
        self._round = 0  # of the latest setting: steps of earlier ones come to nothing
        self.webhook = NONE

    @property
    def is_in_the_way(self) -> bool:
        """Whether getUpdates is refused."""
        return bool(self.webhook.url) or self._pending is not None

    def receive(self, query: Query, now: float) -> None:
        """Answer a setWebhook or deleteWebhook, or begin to."""
        wanted = requested(query)
        if wanted.url:
            if now < self._last_set + BETWEEN_SETS:
                self._answer(query, retry_after(1), now)
                return
            self._last_set = now
        if self._pending is not None:
            if self._stage is Stage.COPYING:
                self._answer(query, retry_after(1), now)
                return
            older, self._pending = self._pending, None
            self._conflicts.send(older, "S2", now)
        elif self._changes_nothing(wanted, query):
            self._apply_allowed(query)
            text = "Webhook is already set" if wanted.url else "Webhook is already deleted"
            self._answer(query, result(value=True, description=text), now)
            return
        if wanted.url:
            self._polls.evict("S", now)
        self._round += 1
        if self.webhook.url:
            self._step(query, Stage.CLOSING, self._desk.rules.webhook_close, now)
        else:
            self._begin(query, now, text="Webhook is already deleted")

    def give_up(self, now: float, *, reply: Reply) -> None:
        """End the setting that is under way: the token goes out of service."""
        self._round += 1
        query, self._pending = self._pending, None
        if query is not None:
            self._answer(query, reply, now)

    def info(self, now: float) -> dict[str, Any]:
        """Give the result of getWebhookInfo, its fields in the server's order. Changes nothing."""
        hook = self.webhook
        info: dict[str, Any] = {
            "url": hook.url,
            "has_custom_certificate": hook.has_certificate,
            "pending_update_count": self._bot.pending(now),
        }
        if hook.url:
            info["max_connections"] = hook.max_connections
            info["ip_address"] = hook.ip or "<unknown>"
        if self._bot.allowed != kinds.DEFAULT_KINDS:
            info["allowed_updates"] = kinds.printed(self._bot.allowed)
        return info

    def _changes_nothing(self, wanted: Webhook, query: Query) -> bool:
        hook = self.webhook
        same = (
            hook.url == wanted.url
            and hook.max_connections == wanted.max_connections
            and hook.is_ip_fixed == wanted.is_ip_fixed
            and hook.secret == wanted.secret
            and (not wanted.is_ip_fixed or hook.ip == wanted.ip)
        )
        has_certificate = hook.has_certificate or "certificate" in query.call.files
        return same and not has_certificate and not is_true(query.call.arguments, "drop_pending_updates")

    def _step(self, query: Query, stage: Stage, seconds: float, now: float) -> None:
        self._pending = query
        self._stage = stage
        this_round = self._round

        def proceed(at: float) -> None:
            if self._round == this_round:
                self._pending = None
                self._proceed(query, stage, at)

        self._desk.timers.at(now + seconds, proceed)

    def _proceed(self, query: Query, stage: Stage, now: float) -> None:
        match stage:
            case Stage.CLOSING:
                self.webhook = NONE
                self._begin(query, now, text="Webhook was deleted")
            case Stage.COPYING:
                self._try(query, now)
            case Stage.VERIFYING:
                self._verified(query, now)

    def _begin(self, query: Query, now: float, *, text: str) -> None:
        """Go on once no old webhook is left; `text` is the answer to a deletion."""
        if is_true(query.call.arguments, "drop_pending_updates"):
            query.row.confirmed += self._bot.queue.clear()
        wanted = requested(query)
        if not wanted.url:
            self._answer(query, result(value=True, description=text), now)
            return
        reason = invalidity(wanted, query)
        if reason:
            self._answer(query, error(400, f"Bad Request: {reason}"), now)
        elif wanted.has_certificate:
            self._step(query, Stage.COPYING, self._desk.rules.webhook_copy, now)
        else:
            self._try(query, now)

    def _try(self, query: Query, now: float) -> None:
        self.webhook = requested(query)
        self._apply_allowed(query)
        self._step(query, Stage.VERIFYING, self._desk.rules.webhook_verify, now)

    def _verified(self, query: Query, now: float) -> None:
        url = webhook_url.parse(self.webhook.url)
        assert url is not None  # checked in _begin
        reason = webhook_url.objection(url, ip=self.webhook.ip)
        if reason:
            self.webhook = NONE
            self._answer(query, error(400, f"Bad Request: bad webhook: {reason}"), now)
        else:
            self._answer(query, result(value=True, description="Webhook was set"), now)

    def _apply_allowed(self, query: Query) -> None:
        allowed = allowed_updates(query.call.arguments)
        if allowed is not None:
            self._bot.allowed = allowed

    def _answer(self, query: Query, reply: Reply, now: float) -> None:
        self._desk.answer(query, reply, "ok" if reply.status == 200 else "error", now)
