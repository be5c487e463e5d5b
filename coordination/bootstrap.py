"""A start-up call (deleteWebhook, drop_pending_updates) judged: what to answer, what to send, what to tell.

The adapter asks getWebhookInfo, and where updates are to be dropped whether a living peer is there to work on
them; then `rule` says what becomes of the call. Nothing here waits longer than `PEER_LIMIT`.
"""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import Future
from dataclasses import dataclass

from onepoller.coordination.events import WebhookCallGuarded
from onepoller.coordination.guard import Guard
from onepoller.coordination.identity import BotId
from onepoller.coordination.report import Role
from onepoller.coordination.settings import OnWebhook
from onepoller.coordination.webhook import Verdict, host_of, judge

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
    event: WebhookCallGuarded | None = None


def rule(bot_id: BotId, *, url: str, drop: bool, has_peer: bool, policy: OnWebhook) -> Ruling:
    """Judge a call that would delete the webhook at `url` (empty: there is none)."""
    host = host_of(url)
    match judge(url=url, drop=drop, has_peer=has_peer, policy=policy):
        case Verdict.SEND:
            return Ruling()
        case Verdict.SEND_UNDROPPED:
            return Ruling(is_undropped=True, event=_told(bot_id, "drop_skipped", host))
        case Verdict.ANSWER:
            return Ruling(answer=(200, _DONE), event=_told(bot_id, "already_deleted", host))
        case Verdict.ANSWER_UNDROPPED:
            return Ruling(answer=(200, _DONE), event=_told(bot_id, "drop_skipped", host))
        case Verdict.REFUSE:
            return Ruling(answer=(400, _refusal(bot_id, host)), event=_told(bot_id, "refused", host))


def is_idle(guard: Guard) -> bool:
    """Whether this process does not poll the bot now, so that a call may be one of a start."""
    return guard.state.role in _IDLE and not guard.has_open_call


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


def _told(bot_id: BotId, answer: str, host: str) -> WebhookCallGuarded:
    return WebhookCallGuarded(bot_id=bot_id, answer=answer, detail=host)


def _refusal(bot_id: BotId, host: str) -> bytes:
    text = (
        f"onepoller: deleteWebhook was refused, because bot {bot_id} has a webhook at {host}, which somebody "
        "else set; if it may go, set on_webhook='delete' (ONEPOLLER_ON_WEBHOOK=delete)"
    )
    return json.dumps({"ok": False, "error_code": 400, "description": text}).encode()
