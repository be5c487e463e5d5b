"""One token: whether it is in service, and what each method answers.

Conflict memory, the parked poll and the webhook belong to the token; the queue and the filter to the bot.
"""

import math
from dataclasses import replace
from enum import Enum, unique

from onepoller.testing.botapi import objects
from onepoller.testing.botapi.bot import Bot
from onepoller.testing.botapi.pacing import Conflicts
from onepoller.testing.botapi.parameters import allowed_updates, integer_argument
from onepoller.testing.botapi.polling import Polls
from onepoller.testing.botapi.query import Desk, Query
from onepoller.testing.botapi.replies import (
    LOGGED_OUT,
    METHOD_NOT_FOUND,
    RESTART,
    TRUE,
    UNAUTHORIZED,
    Reply,
    error,
    result,
    retry_after,
)
from onepoller.testing.botapi.webhooks import NONE, Webhook, Webhooks

OK = 200
YOUNG = 600.0  # a bot launched less long ago may not be closed
LOGGED_OUT_FOR = 1800.0
OLD_LOGIN = 1800.0
LOGGED_OUT_FOR_OLD = 1.0

# Accepted and answered true, so that an ordinary bot can start; they do nothing.
ACCEPTED = frozenset(
    {"answercallbackquery", "answerinlinequery", "sendchataction", "setmycommands", "deletemycommands"}
)


@unique
class State(Enum):
    """Whether a token is in service."""

    SERVING = "serving"
    CLOSING = "closing"
    CLOSED = "closed"
    LOGGED_OUT = "logged out"
    REVOKED = "revoked"


class Client:
    """What the server keeps for one token."""

    def __init__(
        self, desk: Desk, bot: Bot, *, now: float, server_started: float, hook: Webhook = NONE
    ) -> None:
        self.bot = bot
        self.state = State.SERVING
        self._desk = desk
        self._conflicts = Conflicts(desk, now)
        self.polls = Polls(desk, bot.queue, self._conflicts, now)
        self.webhooks = Webhooks(desk, bot, self.polls, self._conflicts, now)
        self.webhooks.webhook = hook
        self._launched = now
        self._server_started = server_started

    def __repr__(self) -> str:
        return f"<Client of bot {self.bot.id}, {self.state.value}>"

    def receive(self, query: Query, now: float) -> None:
        """Answer a call, or begin to."""
        match self.state:
            case State.SERVING:
                self._serve(query, now)
            case State.REVOKED:
                self._end(query, UNAUTHORIZED, now)
            case State.LOGGED_OUT:
                self._end(query, LOGGED_OUT, now)
            case State.CLOSING | State.CLOSED:
                self._end(query, RESTART, now)

    def revoke(self, now: float) -> None:
        """Take the token out of service. A parked poll is answered 200, as on every way out."""
        self._leave(State.REVOKED, now, reply=UNAUTHORIZED)

    def restore(self) -> None:
        """Put a revoked token back into service."""
        if self.state is State.REVOKED:
            self.state = State.SERVING

    def shut_down(self, now: float) -> None:
        """End what is open, since the server goes away."""
        self._leave(State.CLOSING, now, reply=RESTART)

    def _serve(self, query: Query, now: float) -> None:
        match query.row.method:
            case "getupdates":
                self._get_updates(query, now)
            case "setwebhook" | "deletewebhook":
                self.webhooks.receive(query, now)
            case "getwebhookinfo":
                self._end(query, result(self.webhooks.info(now)), now)
            case "getme":
                self._end(query, result(objects.me(self.bot.id)), now)
            case "sendmessage":
                self._send_message(query, now)
            case "close":
                self._close(query, now)
            case "logout":
                self._log_out(query, now)
            case method:
                self._end(query, TRUE if method in ACCEPTED else METHOD_NOT_FOUND, now)

    def _get_updates(self, query: Query, now: float) -> None:
        if self.webhooks.is_in_the_way:
            # Before any parameter counts: neither the filter nor the memory of the last offset changes.
            self._conflicts.send(query, "W", now)
            return
        allowed = allowed_updates(query.call.arguments)
        if allowed is not None:
            self.bot.allowed = allowed
        self.polls.receive(query, now)

    def _send_message(self, query: Query, now: float) -> None:
        arguments = query.call.arguments
        text = arguments.get("text", "")
        if not arguments.get("chat_id"):
            self._end(query, error(400, "Bad Request: chat_id is empty"), now)
            return
        if not text.strip():
            self._end(query, error(400, "Bad Request: message text is empty"), now)
            return
        self.bot.sent += 1
        query.row.text = text
        chat_id = integer_argument(arguments, "chat_id", objects.CHAT_ID)
        date = self._desk.unix(now)
        self._end(query, result(objects.sent_message(self.bot.id, self.bot.sent, chat_id, date, text)), now)

    def _close(self, query: Query, now: float) -> None:
        left = self._launched + YOUNG - now
        if left > 0 and self._launched - self._server_started >= YOUNG:
            self._end(query, retry_after(math.ceil(left)), now)
            return
        self._end(query, TRUE, now)
        self._leave(State.CLOSING, now, reply=RESTART)
        self._desk.timers.at(now + self._desk.rules.closing, lambda _: self._become(State.CLOSED))

    def _log_out(self, query: Query, now: float) -> None:
        self._end(query, TRUE, now)
        self._leave(State.LOGGED_OUT, now, reply=LOGGED_OUT)
        query.row.confirmed += self.bot.queue.clear()
        self.webhooks.webhook = NONE
        is_old = now - self._launched > OLD_LOGIN
        self._desk.timers.at(
            now + (LOGGED_OUT_FOR_OLD if is_old else LOGGED_OUT_FOR), lambda _: self._become(State.CLOSED)
        )

    def _leave(self, state: State, now: float, *, reply: Reply) -> None:
        self.state = state
        self.polls.release(now)
        self.webhooks.give_up(now, reply=reply)

    def _become(self, state: State) -> None:
        if self.state is not State.REVOKED:
            self.state = state

    def _end(self, query: Query, reply: Reply, now: float) -> None:
        self._desk.answer(query, reply, "ok" if reply.status == OK else "error", now)


def successor(client: Client, desk: Desk, *, method: str, now: float, server_started: float) -> Client:
    """Make the part of a token anew after it was closed; its webhook is restored from disk.

    Not if the first call sets or deletes one: then that call starts from nothing.
    """
    is_setting = method in {"setwebhook", "deletewebhook"}
    hook = NONE if is_setting else replace(client.webhooks.webhook)
    return Client(desk, client.bot, now=now, server_started=server_started, hook=hook)
