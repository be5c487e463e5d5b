"""Waiting for changes: one watch stream, and a slow look behind it.

The stream tells of two things only: that somebody wrote our own session's key, which wakes us, and that the
key of any session is gone, which the server says when its lease ends. So what others do among themselves is
never sent to us. The slow look is one small request: which sessions live, and whether anything was written.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from onepoller.coordination.errors import OnepollerError, StoreUnavailable
from onepoller.coordination.identity import SessionId, boot_clock
from onepoller.coordination.stores.changes import Changes
from onepoller.coordination.stores.etcd.gateway import Gateway
from onepoller.coordination.stores.etcd.keys import Keys
from onepoller.coordination.stores.etcd.session import EtcdSession, over
from onepoller.coordination.stores.etcd.words import coded, end_of, get_all, kept, key_of, txn
from onepoller.coordination.stores.seam import Change

_OWN, _ENDS = "1", "2"
HEAD_START = 0.25
"""Seconds. What was written for others we look at so much later: whom it names comes first."""
_LIMIT = 2.0
"""Seconds for a look, and for the stream to begin."""


class Watch:
    """One session's watch."""

    def __init__(
        self, session: EtcdSession, gateway: Gateway, keys: Keys, *, slow_look: float, again_at: float
    ) -> None:
        self._session = session
        self._gateway = gateway
        self._keys = keys
        self._slow_look = slow_look
        self._again_at = again_at
        """When there is something to look at though nothing is written (boot clock)."""
        self._changes = Changes()
        self._loop = asyncio.get_running_loop()
        self._trouble: OnepollerError | None = None
        self._is_listening = False
        self._is_deaf = False
        """The stream has not told what it should have: another one is begun."""
        self._generation = 0
        self._woken = 0
        self._alive: set[SessionId] = set()

    async def run(self) -> AsyncIterator[Change]:
        """Yield at once, so that what happened since the last read is not missed, and then on each change."""
        while not self._session.is_over:
            began = self._loop.time()
            async with self._listening():
                self._is_deaf = False
                missed = await self._look()
                yield Change()
                for change in missed:
                    if change.session is not None:
                        yield change
                due = self._next_look()
                while self._is_listening and not (self._is_deaf or self._session.is_over):
                    for change in await self._changes.take(until=due):
                        yield change
                    if self._loop.time() >= due:
                        due = self._next_look()
                        for change in await self._look():
                            yield change
            was_quick = self._loop.time() < began + self._slow_look
            if was_quick and not (self._is_deaf or self._session.is_over):
                raise StoreUnavailable(f"{self._gateway.shown} does not answer.")
        if not self._session.is_closed:
            raise over(self._session.id)

    def _next_look(self) -> float:
        pause = self._slow_look * random.uniform(0.8, 1.2)
        left = self._again_at - boot_clock()
        if 0.0 < left < pause:
            self._loop.call_later(left, self._changes.put, Change())
        return self._loop.time() + pause

    # The stream

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[None]:
        """A stream that has begun; where it ends, `_is_listening` is false."""
        begun: asyncio.Future[None] = self._loop.create_future()
        listener = self._loop.create_task(self._listen(begun))
        try:
            async with asyncio.timeout(_LIMIT):
                await begun
            yield
        except TimeoutError:
            raise StoreUnavailable(f"{self._gateway.shown} does not answer.") from None
        finally:
            listener.cancel()
            await asyncio.wait([listener])

    async def _listen(self, begun: asyncio.Future[None]) -> None:
        try:
            async with self._gateway.stream("watch", self._requests(), limit=_LIMIT) as answers:
                created = 0
                async for answer in answers:
                    if answer.get("canceled"):
                        break
                    created += bool(answer.get("created"))
                    if created == 2 and not begun.done():
                        self._is_listening = True
                        begun.set_result(None)
                    for event in answer.get("events", ()):
                        self._hear(event, is_own=answer.get("watch_id") == _OWN)
        except OnepollerError as error:
            if not begun.done():
                begun.set_exception(error)
        finally:
            self._is_listening = False
            if not begun.done():
                begun.set_exception(StoreUnavailable(f"{self._gateway.shown} lets nobody watch now."))
            self._changes.put(Change())

    def _requests(self) -> list[Any]:
        own, every = self._keys.alive(self._session.id), self._keys.all_alive
        return [
            {"create_request": {"key": coded(own), "watch_id": _OWN}},
            {
                "create_request": {
                    "key": coded(every),
                    "range_end": coded(end_of(every)),
                    "filters": ["NOPUT"],
                    "watch_id": _ENDS,
                }
            },
        ]

    def _hear(self, event: Any, *, is_own: bool) -> None:
        name = SessionId(key_of(event["kv"]).rpartition("/")[2])
        if event.get("type") != "DELETE":
            self._woken = int(event["kv"]["mod_revision"])
            self._changes.put(Change())
        elif is_own:
            self._session.end()
            self._changes.put(Change())
        elif name != self._session.id:
            self._alive.discard(name)
            self._changes.put(Change(session=name))

    # The slow look

    async def _look(self) -> list[Change]:
        """What the stream did not tell; a stream that has missed a thing is not listened to any more."""
        ranges = [
            get_all(self._keys.all_alive, keys_only=True),
            get_all(self._keys.generation, keys_only=True),
        ]
        answer = await self._gateway.call("kv/txn", txn([], ranges), limit=_LIMIT)
        alive, generation = [kept(response["response_range"]) for response in answer["responses"]]
        revisions = {SessionId(key.key.rpartition("/")[2]): key.revision for key in alive}
        written = max((key.revision for key in generation), default=0)
        if self._session.id not in revisions:
            self._session.end()
            return [Change()]
        missed = self._alive - revisions.keys()
        was_woken = revisions[self._session.id] > self._woken
        news = [Change(session=name) for name in missed]
        if was_woken:
            news.append(Change())
        elif written != self._generation:
            self._loop.call_later(HEAD_START, self._changes.put, Change())
        if (missed or was_woken) and self._woken:
            self._is_deaf = True
        self._generation, self._woken = written, revisions[self._session.id]
        self._alive = set(revisions)
        return news
