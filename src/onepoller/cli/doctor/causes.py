"""The causes that `doctor` tells apart: what each is, and what helps. docs/doctor.md shows them all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is; a problem makes the exit code 1."""

    PROBLEM = "problem"
    NOTE = "note"
    FINE = "fine"


class Cause(StrEnum):
    """What can be told apart from here."""

    MALFORMED_TOKEN = "malformed_token"  # noqa: S105  # the name of a cause
    REVOKED_TOKEN = "revoked_token"  # noqa: S105  # as above
    WRONG_SERVER = "wrong_server"
    UNREACHABLE = "unreachable"
    STORE_TROUBLE = "store_trouble"
    WEBHOOK = "webhook"
    WEBHOOK_CHANGES = "webhook_changes"
    RIVAL = "rival"
    DEAD_POLLER = "dead_poller"
    NOBODY_POLLS = "nobody_polls"
    PEER = "peer"
    UNSEEN = "unseen"
    HEALTHY = "healthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One cause. Advice may name {bot} and {variable}."""

    level: Level
    title: str
    advice: tuple[str, ...] = ()
    limit: str = ""
    """When it is not what it looks like."""


SLOW_HANDLERS = (
    "a framework that handles a batch before it polls again, with handlers longer than 8 s, looks "
    "dead from outside; without a shared store its batches may be handled twice."
)

ACCOUNTS: Mapping[Cause, Account] = {
    Cause.MALFORMED_TOKEN: Account(
        level=Level.PROBLEM,
        title="The token is malformed. Telegram was not asked.",
        advice=(
            (
                "Copy the token from @BotFather (/token) into {variable}: digits, a colon, about 35 "
                "characters, nothing around them."
            ),
        ),
    ),
    Cause.REVOKED_TOKEN: Account(
        level=Level.PROBLEM,
        title="Telegram refuses the token: it was revoked, or replaced by a new one.",
        advice=(
            (
                "Get the valid token from @BotFather (/token) and restart the bot with it. Some "
                "frameworks end their polling without a word when this happens."
            ),
        ),
    ),
    Cause.WRONG_SERVER: Account(
        level=Level.PROBLEM,
        title="This server does not serve the bot.",
        advice=(
            (
                "Check --api-root, or TELEGRAM_API_ROOT. A bot that was logged out lives on a Bot API "
                "server of yours: name that one."
            ),
        ),
    ),
    Cause.UNREACHABLE: Account(
        level=Level.PROBLEM,
        title="Telegram cannot be reached from here, so nothing can be said of its side.",
        advice=(
            (
                "Check the network, the name service, HTTPS_PROXY and --api-root. No bot needs a restart "
                "for this: it polls again when the way is open."
            ),
        ),
    ),
    Cause.STORE_TROUBLE: Account(
        level=Level.PROBLEM,
        title="The store is in trouble, so who polls may be out of date here.",
        advice=(
            (
                "Do as the sentence says. Whoever holds a bot polls on meanwhile; where the store is a "
                "server, until its deadline, within the lease."
            ),
        ),
    ),
    Cause.WEBHOOK: Account(
        level=Level.PROBLEM,
        title="A webhook is set, so Telegram refuses every getUpdates of this bot.",
        advice=(
            (
                "If production runs by it, all is well there, and this bot must not be polled: develop "
                "with a token of your own."
            ),
            (
                "If nobody needs it (an earlier deployment, a bot builder, a test), remove it where it "
                "was set, or have the bot do it when it starts: ONEPOLLER_ON_WEBHOOK=delete. Polling "
                "goes on by itself then."
            ),
        ),
    ),
    Cause.WEBHOOK_CHANGES: Account(
        level=Level.PROBLEM,
        title="The webhook changed while we looked: one program sets it, and another may remove it.",
        advice=(
            (
                "Find the program that calls setWebhook, and the poller that calls deleteWebhook when it "
                "starts. Only one of them may have this token."
            ),
        ),
    ),
    Cause.RIVAL: Account(
        level=Level.PROBLEM,
        title="A rival: somebody who is not in this store polls the bot.",
        advice=(
            (
                "On this host look for a forgotten process, a service, a container, a reloader or worker "
                "without onepoller, a second loop in one program. What is yours gets onepoller and this "
                "store."
            ),
            (
                "Elsewhere look for the old deployment, staging, a laptop, another product with this "
                "token. Give it a token of its own."
            ),
            (
                "If nobody can reach it, or the token has leaked: revoke the token at @BotFather "
                "(/revoke). Nothing else keeps a rival out."
            ),
        ),
    ),
    Cause.DEAD_POLLER: Account(
        level=Level.PROBLEM,
        title="A dead poller: a process of ours has the bot open, lives, and does not poll.",
        advice=(
            (
                "Restart that process: a poll loop that has ended is not started again from outside. Its "
                "log tells after which error it went silent."
            ),
        ),
        limit=SLOW_HANDLERS,
    ),
    Cause.NOBODY_POLLS: Account(
        level=Level.PROBLEM,
        title="Nobody polls the bot.",
        advice=(
            "Start the bot. If it runs, restart it: a process may live, send, and have lost its poll loop.",
            (
                "If it should run by a webhook, something has removed that: most frameworks call "
                "deleteWebhook when they start to poll. Set it again, and keep pollers off this token."
            ),
        ),
        limit=SLOW_HANDLERS,
    ),
    Cause.PEER: Account(
        level=Level.NOTE,
        title="Our own instances share the bot: one polls, the others stand by. Nothing is wrong.",
        advice=(
            "To pass the bot on: onepoller handover {bot}",
            (
                "Workers and the new version of a deploy are meant to wait. A forgotten second process "
                "may simply be ended."
            ),
        ),
    ),
    Cause.UNSEEN: Account(
        level=Level.NOTE,
        title=(
            "Nobody polls in this store, and nothing waits at Telegram. That proves neither health nor a "
            "rival."
        ),
        advice=(
            (
                "If the bot runs as another user, in a container, on another host or with another "
                "ONEPOLLER_STATE_DIR, ask there."
            ),
            "onepoller doctor --probe 8 tells whether anybody polls; it throws out once whoever does.",
        ),
    ),
    Cause.HEALTHY: Account(level=Level.FINE, title="Nothing is wrong: one instance polls the bot."),
}
