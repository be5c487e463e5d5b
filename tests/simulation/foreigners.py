"""Programs that are not ours: pollers that know nothing of any store, and one that sets a webhook.

How a poller waits after which answer is `onepoller.testing.botapi.rivals`; here it has a network between it
and the server, and where its framework exits at a 409, a supervisor that starts it again, later each time.
"""

from __future__ import annotations

import re

from onepoller.testing.botapi import BEHAVIOURS, Answer, Behaviour, Reply, Rival
from tests.simulation.world import World

_UPDATE_ID = re.compile(rb'"update_id":(\d+)')
RIVALS = ("ptb", "aiogram", "telebot", "fixed", "short", "telegraf")
# A 409 ends Telegraf's polling and its process (facts of its 4.16); what comes next is its supervisor's.
_TELEGRAF = Behaviour(timeout=50, first_offset=0, first=1.0, factor=1.0, longest=1.0)
RESTARTS = (1.0, 2.0, 60.0)
"""A supervisor waits so long at first, times the second each time, at most the third."""
LIVES = 10.0
"""Who has lived so long begins anew with these pauses."""


class Foreigner:
    """A foreign poller, from `start` to `stop`."""

    def __init__(self, world: World, kind: str, name: str, *, handling: float = 0.0) -> None:
        self._handling = handling
        self.name = name
        self.taken: list[tuple[float, tuple[int, ...]]] = []
        self._kind = kind
        self._world = world
        self._behaviour = _TELEGRAF if kind == "telegraf" else BEHAVIOURS[kind]
        self._rival = Rival(self._behaviour, world.random)
        self._life = 0
        self._connection = 0
        self._began = 0.0
        self._restart = RESTARTS[0]
        self.spans: list[tuple[float, float]] = []
        """From when until when it was there."""

    @property
    def is_running(self) -> bool:
        """Whether it is there."""
        return bool(self.spans) and self.spans[-1][1] == float("inf")

    def start(self) -> None:
        """Begin to poll."""
        if self.is_running:
            return
        self._world.note(self.name, f"starts ({self._kind})")
        self.spans.append((self._world.now, float("inf")))
        self._restart = RESTARTS[0]
        self._begin(self._life)

    def stop(self) -> None:
        """End as if killed."""
        if not self.is_running:
            return
        self._world.note(self.name, "ends")
        self.spans[-1] = (self.spans[-1][0], self._world.now)
        self._life += 1
        self._world.close(self._connection)

    def _begin(self, life: int) -> None:
        if life == self._life:
            self._rival = Rival(self._behaviour, self._world.random)
            self._began = self._world.now
            self._poll(life)

    def _poll(self, life: int) -> None:
        if life != self._life:
            return
        self._connection = self._world.send(
            self.name,
            "getUpdates",
            self._rival.arguments(),
            lambda answer: self._world.after(self._world.latency(), self._answered, life, answer),
        )

    def _answered(self, life: int, answer: Answer) -> None:
        reply = answer.reply
        if life != self._life or not isinstance(reply, Reply):
            return
        ids = tuple(int(found) for found in _UPDATE_ID.findall(reply.body)) if reply.status == 200 else ()
        if ids:
            self.taken.append((self._world.now, ids))
        if self._kind == "telegraf" and reply.status == 409:
            self._exit(life)
            return
        pause = self._rival.answered(status=reply.status, update_ids=ids)
        self._world.after(pause + (self._handling if ids else 0.0), self._poll, life)

    def _exit(self, life: int) -> None:
        first, factor, longest = RESTARTS
        lived = self._world.now - self._began
        self._restart = first if lived >= LIVES else min(self._restart * factor, longest)
        self._world.after(self._restart, self._begin, life)


class WebhookSetter:
    """Somebody who sets a webhook, and takes it away."""

    name = "webhook setter"

    def __init__(self, world: World) -> None:
        self._world = world
        self.spans: list[tuple[float, float]] = []

    def start(self) -> None:
        """Set it."""
        self._call("setWebhook", {"url": "https://example.test/hook"})
        self.spans.append((self._world.now, float("inf")))

    def stop(self) -> None:
        """Delete it; nothing that waits is dropped."""
        self._call("deleteWebhook", {})
        self.spans[-1] = (self.spans[-1][0], self._world.now)

    def _call(self, method: str, arguments: dict[str, str]) -> None:
        self._world.note(self.name, method)
        self._world.send(self.name, method, arguments, lambda _: None)
