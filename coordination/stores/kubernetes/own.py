"""Our own session on the server: its Lease, its wishes and its report, which nobody else writes.

Only who ends us writes to our Lease. So a write of ours that meets another version says that we are over, or
that somebody has edited the Lease by hand.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Collection, Iterable
from dataclasses import replace

from onepoller.coordination.errors import SessionOver, StoreUnavailable
from onepoller.coordination.identity import BotId, Identity, SessionId, boot_clock, new_session_id
from onepoller.coordination.stores.engine import EngineSession
from onepoller.coordination.stores.kubernetes.body import LONGEST, RECORD, Body, body
from onepoller.coordination.stores.kubernetes.client import Client
from onepoller.coordination.stores.kubernetes.failure import Conflict, Missing
from onepoller.coordination.stores.kubernetes.names import REPORTS, Names
from onepoller.coordination.stores.kubernetes.news import News
from onepoller.coordination.stores.kubernetes.session_lease import INLINE, SessionLease, report_text
from onepoller.coordination.stores.kubernetes.wishes_lease import (
    NEW,
    place_of,
    placed,
    wishes_body,
    wishes_of,
)
from onepoller.coordination.stores.lease import Lease
from onepoller.coordination.stores.seam import Wish

REPORT_EVERY = 3.5
"""Leases: so that ten thousand bots cost a process no more than a tenth more requests than one."""
_TRIES = 3


class Own(EngineSession):
    """A session of ours, alive from `open` until it is over."""

    def __init__(self, client: Client, names: Names, *, identity: Identity, lease: Lease) -> None:
        super().__init__(new_session_id(), lease=lease, sent_at=boot_clock())
        self.identity = identity
        self.wishes: dict[BotId, Wish] = {}
        self._seconds = lease.seconds
        self._beat_limit = min(2.0, lease.seconds / 4)
        self._client = client
        self._names = names
        self._record = SessionLease(id=self.id, identity=identity, lease=lease.seconds)
        self.echoed = 0
        """The last of our beats that came back over the watch: what was written before it was heard, too."""
        self._news = News()
        self._writes = 0
        self._wishes_lease: Body | None = None
        self._report_lease: Body | None = None
        self._report_sent_at = -math.inf
        self._writing = asyncio.Lock()
        self._wishing = asyncio.Lock()

    async def create(self) -> None:
        """Make its Lease."""
        sent_at = boot_clock()
        try:
            kept = await self._client.create(self._record.body(self._names, now=time.time()))
        except Conflict:  # nobody else has this name: it was made, and the answer was lost
            found = await self._client.get(self._names.session(self.id))
            if found is None:
                raise StoreUnavailable("The Lease of our new session is gone; it is tried again.") from None
            kept = found
        self._record = replace(self._record, kept=kept)
        self.beaten(sent_at)

    def check(self) -> None:
        """Raise SessionOver where that is known."""
        if self.is_over:
            raise SessionOver(f"Session {self.id} is over; open a new one.")

    async def confirm_if_late(self) -> None:
        """Prove that the session lives where its deadline has passed: nothing is sent after it."""
        self.check()
        if boot_clock() >= self.deadline:
            await self.beat()

    async def beat(self, report: bytes | None = None) -> None:
        """Say that it lives; one request. Raises SessionOver."""
        is_short = report is not None and len(report) <= INLINE
        await self._write(report=report if is_short or report is None else b"")
        if report is not None and not is_short:
            await self._send_report(report)

    async def announce(self, wake: Collection[SessionId], changed: Collection[BotId]) -> None:
        """Tell everybody which claims were written, and these to look at once. Raises SessionOver.

        What could not be told goes with the next beat.
        """
        self._writes += 1
        self._news = self._news.with_(News(frozenset(wake), frozenset(changed)))
        await self._write()

    @property
    def is_heard(self) -> bool:
        """Whether our last beat has come back: then whatever was announced before it has come, too."""
        return self.echoed >= self._record.beats

    async def delete(self) -> None:
        """It is over: delete its Lease, with which the cluster deletes the others."""
        async with self._writing:
            kept = self._record.kept
            self.end()
            for _ in range(_TRIES):
                if kept is None:
                    return
                try:
                    await self._client.delete(kept)
                except Conflict:
                    kept = await self._client.get(self._names.session(self.id))
                except Missing:
                    return
                else:
                    return

    async def _write(self, report: bytes | None = None) -> None:
        async with self._writing:
            self.check()
            news, self._news = self._news, News()
            try:
                await self._put(news, self._record.report if report is None else report)
            except BaseException:
                self._news = self._news.with_(news)
                raise

    async def _put(self, news: News, report: bytes) -> None:
        for _ in range(_TRIES):
            sent_at = boot_clock()
            self._record = replace(
                self._record, beats=self._record.beats + 1, writes=self._writes, news=news, report=report
            )
            lease = self._record.body(self._names, now=time.time())
            try:
                kept = await self._client.update(lease, limit=self._beat_limit)
            except (Conflict, Missing):
                await self._look()
                continue
            self._record = replace(self._record, kept=kept)
            self.beaten(sent_at)
            return
        raise StoreUnavailable("The Lease of our session does not stand still; it is tried again.")

    async def _look(self) -> None:
        """Our Lease has another version than we wrote: an answer was lost, it was edited, or we are over."""
        kept = await self._client.get(self._names.session(self.id))
        before = self._record.kept
        is_same = (
            kept is not None and before is not None and kept["metadata"]["uid"] == before["metadata"]["uid"]
        )
        seen = SessionLease.of(kept) if kept is not None else None
        if not is_same or (seen is not None and seen.is_over):
            self.end()
            raise SessionOver(f"Session {self.id} was ended by another process; open a new one.")
        self._record = replace(self._record, kept=kept)

    # What it waits for

    async def wish(self, wishes: Iterable[Wish], withdrawn: Iterable[BotId]) -> bool:
        """Write, renew and withdraw wishes; whether there was anything to write."""
        async with self._wishing:
            wanted = dict(self.wishes)
            for wish in wishes:
                earlier = wanted.get(wish.bot_id)
                wanted[wish.bot_id] = replace(wish, since=earlier.since if earlier else NEW)
            for bot_id in withdrawn:
                wanted.pop(bot_id, None)
            if wanted == self.wishes:
                return False
            await self._write_wishes(wanted)
            return True

    async def _write_wishes(self, wanted: dict[BotId, Wish]) -> None:
        owner = self._record.kept
        assert owner is not None
        for _ in range(_TRIES):
            before = self._wishes_lease
            lease = wishes_body(self._names, self.id, wanted.values(), before=before, owner=owner)
            try:
                if before is None:
                    kept = await self._client.create(lease)
                else:
                    kept = await self._client.update(lease)
            except (Conflict, Missing):
                # An answer was lost, or somebody edited or deleted it: go on from what is there.
                self._wishes_lease = await self._client.get(self._names.wishes(self.id))
                if self._wishes_lease is not None:
                    wanted = self._with_places_of(self._wishes_lease, wanted)
                continue
            self._wishes_lease = kept
            self.wishes = placed(wanted.values(), place_of(kept))
            return
        raise StoreUnavailable("The Lease of our wishes does not stand still; it is tried again.")

    @staticmethod
    def _with_places_of(lease: Body, wanted: dict[BotId, Wish]) -> dict[BotId, Wish]:
        there = {wish.bot_id: wish.since for wish in wishes_of(lease)}
        return {b: replace(w, since=w.since or there.get(b, NEW)) for b, w in wanted.items()}

    # What it says of its bots

    async def _send_report(self, report: bytes) -> None:
        """A long report goes into a Lease of its own, now and then; its first rows, if too long."""
        if boot_clock() - self._report_sent_at < REPORT_EVERY * self._seconds:
            return
        text = report_text(report)
        while len(text) > LONGEST:
            report = report[: len(report) // 2]
            text = report_text(report)
        owner = self._record.kept
        assert owner is not None
        lease = body(
            self._names.report(self.id),
            labels=self._names.labels(REPORTS, self.id),
            annotations={RECORD: text},
            spec={},
            before=self._report_lease,
            owner=owner,
        )
        self._report_sent_at = boot_clock()
        try:
            if self._report_lease is None:
                self._report_lease = await self._client.create(lease)
            else:
                self._report_lease = await self._client.update(lease)
        except (Conflict, Missing):
            self._report_lease = await self._client.get(self._names.report(self.id))
