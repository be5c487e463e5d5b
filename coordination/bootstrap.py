"""A start-up call (deleteWebhook, drop_pending_updates) judged: what to answer, what to send, what to tell.

The adapter reads its call (`WebhookCall.of`). Unless it `is_sent` as it is, the adapter asks getWebhookInfo,
and where updates are to be dropped whether a living peer is there to work on them; then `rule` says what
becomes of it. Nothing here waits longer than `PEER_LIMIT`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, Self

from onepoller.coordination.arguments import is_true
from onepoller.coordination.events import WebhookCallGuarded
from onepoller.coordination.guard import Guard
from onepoller.coordination.identity import BotId
from onepoller.coordination.report import Role
from onepoller.coordination.settings import OnWebhook
from onepoller.coordination.target import SET_WEBHOOK
from onepoller.coordination.webhook import DELETIONS, Deletions, Verdict, host_of, judge

PEER_LIMIT = 1.0
"""So long a start-up call waits for the store, seconds. No answer: a peer is assumed, nothing drops."""
_DONE = b'{"ok":true,"result":true,"description":"Webhook is already deleted"}'
_IDLE = frozenset({Role.STARTING, Role.STOPPED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What becomes of one call."""

    answer: tuple[int, bytes] | None = None
    """Status and body to answer at once; None: the call is sent."""
    is_undropped: bool = False
    """It is sent without its `drop_pending_updates`."""
    events: tuple[WebhookCallGuarded, ...] = ()


def rule(bot_id: BotId, *, url: str, drop: bool, has_peer: bool, policy: OnWebhook) -> Ruling:
    """Judge a call that would delete the webhook at `url` (empty: there is none), as the policy says."""
    host = host_of(url)
    match judge(url=url, drop=drop, has_peer=has_peer, policy=policy):
        case Verdict.SEND:
            return Ruling()
        case Verdict.SEND_UNDROPPED:
            return Ruling(is_undropped=True, events=_told(bot_id, "drop_skipped", host))
        case Verdict.ANSWER:
            return Ruling(answer=(200, _DONE), events=_told(bot_id, "already_deleted", host))
        case Verdict.ANSWER_UNDROPPED:
            return Ruling(answer=(200, _DONE), events=_told(bot_id, "drop_skipped", host))
        case Verdict.REFUSE:
            return Ruling(answer=(400, _refusal(bot_id, host)), events=_told(bot_id, "refused", host))


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookCall:
    """A deleteWebhook or setWebhook, as an adapter reads it."""

    bot_id: BotId
    sets: str
    """The URL that it sets; empty: it deletes."""
    drops: bool
    is_start: bool
    """It may be one that a framework makes by itself when polling starts."""
    holds_claim: bool
    deletions: Deletions
    """Of webhooks of this bot that somebody else had set."""

    @classmethod
    def of(cls, guard: Guard, method: str, arguments: Mapping[str, Any], *, is_start: bool = True) -> Self:
        """Read one. While this process polls the bot it is no call of a start."""
        return cls(
            bot_id=guard.bot_id,
            sets=str(arguments.get("url") or "") if method == SET_WEBHOOK else "",
            drops=is_true(arguments.get("drop_pending_updates", "")),
            is_start=is_start and guard.state.role in _IDLE and not guard.has_open_call,
            holds_claim=guard.grant is not None,
            deletions=guard.deletions,
        )


class Webhooks:
    """Which webhook calls are sent: a webhook that was set through the same adapter is its user's own."""

    def __init__(self) -> None:
        self._own: set[str] = set()

    def is_sent(self, call: WebhookCall) -> bool:
        """Whether a call needs no ruling: it sets a webhook, or a person asked for exactly that."""
        if call.sets:
            self._own.add(call.sets)
            return True
        return not call.is_start and (call.holds_claim or not call.drops)

    def rule(self, call: WebhookCall, *, url: str, has_peer: bool, policy: OnWebhook) -> Ruling:
        """Judge any other call; `url` is that of the webhook which is set now."""
        is_own = not call.is_start or url in self._own
        allowed = OnWebhook.DELETE if is_own else policy
        ruling = rule(call.bot_id, url=url, drop=call.drops, has_peer=has_peer, policy=allowed)
        if not url or is_own or ruling.answer is not None:
            return ruling
        host = host_of(url)
        if not call.deletions.spend():
            answer = (400, _error(_TUG.format(bot=call.bot_id, host=host, times=DELETIONS)))
            return Ruling(answer=answer, events=_told(call.bot_id, "limit", host))
        return replace(ruling, events=(*_told(call.bot_id, "deleted", host), *ruling.events))


async def peer_lives(answer: Future[bool]) -> bool:
    """Whether a living peer has this bot, by `Instance.has_peer`'s answer."""
    try:
        async with asyncio.timeout(PEER_LIMIT):
            return await asyncio.wrap_future(answer)
    except TimeoutError:
        return True


def peer_lives_sync(answer: Future[bool]) -> bool:
    """`peer_lives` for callers without an event loop."""
    try:
        return answer.result(timeout=PEER_LIMIT)
    except TimeoutError:
        return True


def _told(bot_id: BotId, answer: str, host: str) -> tuple[WebhookCallGuarded]:
    return (WebhookCallGuarded(bot_id=bot_id, answer=answer, detail=host),)


_TUG = (
    "onepoller: deleteWebhook was refused, because bot {bot} has a webhook at {host} again, after {times} "
    "were deleted within an hour; end the program that sets it, or revoke the token with @BotFather"
)


def _refusal(bot_id: BotId, host: str) -> bytes:
    return _error(
        f"onepoller: deleteWebhook was refused, because bot {bot_id} has a webhook at {host}, which somebody "
        "else set; if it may go, set on_webhook='delete' (ONEPOLLER_ON_WEBHOOK=delete)"
    )


def _error(text: str) -> bytes:
    return json.dumps({"ok": False, "error_code": 400, "description": text}).encode()
