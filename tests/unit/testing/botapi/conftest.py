"""A fake Bot API on virtual time, with the verbs in which the tests of its rules are written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from onepoller.testing.botapi import Answer, BotApi, Call, Reply, Row, Rules

BOT = 123456789
TOKEN = f"{BOT}:" + "A" * 35


@dataclass(kw_only=True)
class Stage:
    """One bot at one fake. Every call has a connection of its own; answers are kept by it."""

    rules: Rules = field(default_factory=Rules)
    api: BotApi = field(init=False)
    answers: dict[int, Answer] = field(default_factory=dict)
    last: int = 0

    def __post_init__(self) -> None:
        self.api = BotApi(rules=self.rules, seed=7)

    def call(
        self,
        method: str,
        *,
        at: float,
        token: str = TOKEN,
        poller: str = "",
        files: Mapping[str, int] | None = None,
        **arguments: object,
    ) -> int:
        """Send one request; gives the number of its connection."""
        self.last += 1
        call = Call(
            connection=self.last,
            token=token,
            method=method,
            arguments={name: str(value) for name, value in arguments.items()},
            files=files or {},
            poller=poller or f"P{self.last}",
        )
        self._keep(self.api.submit(call, at))
        return self.last

    def poll(self, offset: int, timeout: int, *, at: float, **more: Any) -> int:
        """Send one getUpdates."""
        return self.call("getUpdates", at=at, offset=offset, timeout=timeout, **more)

    def push(self, count: int, *, at: float, **more: Any) -> list[int | None]:
        """Make updates; gives their ids."""
        return [made.update_id for made in self.api.push(BOT, count, now=at, **more)]

    def until(self, now: float) -> None:
        """Let time pass."""
        self._keep(self.api.advance(now))

    def outcome(self, connection: int) -> tuple[float, object]:
        """Give when a call was answered, and what: update ids, the tag of a 409, or a description."""
        answer = self.answers[connection]
        return answer.at, meaning(answer, self.row(connection))

    def row(self, connection: int) -> Row:
        """Give the row of a call."""
        return next(row for row in self.api.journal.rows() if row.connection == connection)

    def is_waiting(self, connection: int) -> bool:
        """Whether a call has no answer yet."""
        return connection not in self.answers

    def body(self, connection: int) -> Any:
        """Give the JSON of an answer."""
        reply = self.answers[connection].reply
        assert isinstance(reply, Reply)
        return json.loads(reply.body)

    def info(self, *, at: float) -> dict[str, Any]:
        """Ask getWebhookInfo."""
        result: dict[str, Any] = self.body(self.call("getWebhookInfo", at=at))["result"]
        return result

    def _keep(self, answers: list[Answer]) -> None:
        for answer in answers:
            self.answers[answer.call.connection] = answer


def meaning(answer: Answer, row: Row) -> object:
    """Say in one word what an answer says."""
    assert isinstance(answer.reply, Reply)
    body = json.loads(answer.reply.body)
    if row.how == "conflict":
        return row.tag
    if body["ok"] and isinstance(body["result"], list):
        return [update["update_id"] for update in body["result"]]
    return body.get("description", body.get("result"))


@pytest.fixture
def stage() -> Stage:
    """Give a bot at a fake with the published server's rules."""
    return Stage()
