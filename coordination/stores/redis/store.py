"""The Redis store: sessions and claims of several hosts on a server that they all reach.

Promises what the seam promises, as far as the server keeps what it has said is written; what it may lose, and
what happens then, is said in `beginning` and in docs/redis.md. It opens nothing before the first call, and
each process keeps three connections, or four while much is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import replace

from onepoller.coordination.errors import SessionOver
from onepoller.coordination.identity import BotId, Identity, SessionId, boot_clock, new_session_id
from onepoller.coordination.stores.engine import Aftermath
from onepoller.coordination.stores.lease import Lease
from onepoller.coordination.stores.records import identity_text
from onepoller.coordination.stores.redis import reading, writing
from onepoller.coordination.stores.redis.beginning import Beginning
from onepoller.coordination.stores.redis.keys import Keys
from onepoller.coordination.stores.redis.line import Command, Line, run
from onepoller.coordination.stores.redis.lines import Lines
from onepoller.coordination.stores.redis.mirror import Mirror
from onepoller.coordination.stores.redis.place import Place
from onepoller.coordination.stores.redis.scripts import BEAT, END, ENTER, FORGET, FREE, LEAVE
from onepoller.coordination.stores.redis.session import RedisSession
from onepoller.coordination.stores.redis.watch import Watch
from onepoller.coordination.stores.redis.writing import KEEP
from onepoller.coordination.stores.seam import Batch, Change, Claim, Session, Snapshot, Swapped

_LIMIT = 5.0
"""Seconds for anything but a beat."""
_BEAT_LIMIT = 2.0
_CLOSE_LIMIT = 2.0
_REMEMBERED = 16
"""So many sessions that died without a word are kept by name: `onepoller status` shows whose a claim was."""


class RedisStore:
    """Sessions, claims and wishes on a Redis server."""

    def __init__(
        self,
        place: Place,
        *,
        prefix: str,
        lease: float = 10.0,
        margin: float | None = None,
        slow_look: float = 1.0,
        clock: Callable[[], float] = boot_clock,
    ) -> None:
        self._place = place
        self._keys = Keys(prefix)
        self._lease = Lease.of(lease, margin=margin)
        self._slow_look = slow_look
        self._clock = clock
        self._lines = Lines(place)
        self._mirror = Mirror()
        self._aftermath: Aftermath | None = None
        self._sessions: set[RedisSession] = set()
        self._writes = 0
        """How many swaps have begun or ended: a read beside one may know less than we do."""

    def __repr__(self) -> str:
        return f"<RedisStore {self._place.shown} {len(self._sessions)} own sessions>"

    def __str__(self) -> str:
        return self._place.shown

    async def open(self, identity: Identity) -> Session:
        """A new session, alive from now on."""
        session_id = new_session_id()

        async def enter(line: Line) -> RedisSession:
            while True:
                begun = await Beginning.on(line, self._keys)
                sent_at = self._clock()
                if await self._entered(line, session_id, identity, begun):
                    await self._forget(line)
                    return RedisSession(
                        session_id, lease=self._lease, begun=begun, sent_at=sent_at, clock=self._clock
                    )

        self._lines.stay_open()
        try:
            own = await self._lines.call(enter, limit=_LIMIT)
            self._sessions.add(own)
            if self._aftermath is not None:
                self._aftermath = replace(self._aftermath, floor=own.begun.first_term)
            return own
        finally:
            if not self._sessions:
                await self._lines.close()

    async def close(self, session: Session) -> None:
        """End a session: its claims are free, its wishes gone, everybody who waits is woken. Idempotent."""
        own = _own(session)
        if own not in self._sessions:
            return
        keys = self._keys
        leave = run(
            LEAVE,
            [
                keys.begun,
                keys.session(own.id),
                keys.alive(own.id),
                keys.wishes(own.id),
                keys.sessions,
                keys.generation,
            ],
            own.id,
        )

        async def goodbye(line: Line) -> None:
            if line.server.run != own.begun.run:
                return
            await line.ask(leave)  # said already, perhaps, on a connection that was lost before the rest
            cursor = b"0"
            while True:
                (cursor,) = await line.ask(
                    run(FREE, [keys.claims, keys.generation, keys.changed], own.id, cursor)
                )
                if cursor == b"0":
                    break
            await line.ask(("PUBLISH", keys.everybody, own.id))

        try:
            await self._lines.call(goodbye, limit=_CLOSE_LIMIT)
        finally:
            await self._drop(own)

    async def beat(self, session: Session, *, report: bytes = b"", confirm: bool = False) -> None:  # noqa: ARG002  # every beat is in the server's order
        """Say that the session lives, and move its deadline. The server's answer is the proof."""
        own = _own(session)
        keys = self._keys
        sent_at = self._clock()
        with_report = [report] if own.reports.is_due(report, sent_at) else []
        names = [keys.begun, keys.session(own.id), keys.alive(own.id), keys.wishes(own.id)]
        beat = run(BEAT, names, self._lease_ms, KEEP, *with_report)
        await self._asked(own, beat, limit=min(_BEAT_LIMIT, self._lease.seconds / 4))
        own.beaten(sent_at)
        if with_report:
            own.reports.written(report, sent_at)

    async def read(self, bots: Collection[BotId] | None = None) -> Snapshot:
        """Claims, wishes and sessions of these bots, or of all. Makes nothing on the server."""
        writes = self._writes

        async def look(line: Line) -> Snapshot:
            if bots is None:
                return await reading.everything(line, self._keys)
            return await reading.some(line, self._keys, bots, self._mirror)

        seen = await self._lines.call(look, limit=_LIMIT)
        if writes == self._writes:
            self._learn(seen.claims.values())
        seen = replace(seen, trouble=self._lines.trouble)
        after = self._aftermath
        if after is None or not self._sessions or self._clock() >= after.until:
            return seen
        return after.shown(seen)

    async def swap(self, session: Session, batch: Batch) -> Swapped:
        """Write many claims and wishes, some hundred in one step; each claim only if its version stands."""
        own = _own(session)
        if any(wish.session != own.id for wish in batch.wishes):
            raise ValueError("a session writes its own wishes only")
        written: dict[BotId, Claim] = {}
        self._writes += 1
        try:
            for part in writing.parts(batch):
                told = await self._asked(own, writing.command(part, own, self._keys), limit=_LIMIT)
                claims = list(writing.written(part, told, first_term=own.begun.first_term))
                self._learn(claims)
                written.update((claim.bot_id, claim) for claim in claims)
        finally:
            self._writes += 1
        return Swapped(written=written)

    def watch(self, session: Session) -> AsyncIterator[Change]:
        """Yield at once, when woken, when a session ends, and at a slow look that found something."""
        after, now = self._aftermath, self._clock()
        spared = None
        if after is not None and now < after.until:
            spared = (after.lost, asyncio.get_running_loop().time() + after.until - now)
        return Watch(
            _own(session),
            self._lines,
            self._keys,
            slow_look=self._slow_look,
            limit=_LIMIT,
            check=self._check,
            spared=spared,
        ).run()

    async def end(self, session: Session, dead: SessionId) -> None:
        """Mark another session over; see `EngineStore`."""
        own = _own(session)
        keys = self._keys
        names = [keys.begun, keys.session(own.id)]
        names += [keys.session(dead), keys.alive(dead), keys.wishes(dead), keys.generation]
        await self._asked(own, run(END, names, keys.everybody, dead), limit=_LIMIT)

    @property
    def _lease_ms(self) -> int:
        return round(self._lease.seconds * 1000)

    async def _entered(self, line: Line, session_id: SessionId, identity: Identity, begun: Beginning) -> bool:
        keys = self._keys
        names = [keys.begun, keys.session(session_id), keys.alive(session_id), keys.sessions, keys.generation]
        enter = run(ENTER, names, begun.text, session_id, identity_text(identity), self._lease_ms, KEEP)
        return bool((await line.ask(enter))[0])

    async def _forget(self, line: Line) -> None:
        """Forget all dead sessions but the last: who crashes again and again leaves a new one each time."""
        keys = self._keys
        (members,) = await line.ask(("SMEMBERS", keys.sessions))
        ids = [SessionId(member.decode()) for member in members]
        beaten = await line.ask(*(("HGET", keys.session(one), "at") for one in ids))
        alive = await line.ask(*(("EXISTS", keys.alive(one)) for one in ids))
        dead = [
            (int(at or 0), one) for one, at, is_alive in zip(ids, beaten, alive, strict=True) if not is_alive
        ]
        forgotten = [one for _, one in sorted(dead)[:-_REMEMBERED]]
        if forgotten:
            names = (
                [keys.session(one), keys.alive(one), keys.wishes(one), keys.sessions] for one in forgotten
            )
            await line.ask(*(run(FORGET, four, one) for one, four in zip(forgotten, names, strict=True)))

    async def _asked(self, own: RedisSession, command: Command, *, limit: float) -> bytes:
        """Ask something that only a session that is not over is answered."""
        if own not in self._sessions:
            raise SessionOver(f"Session {own.id} is over; open a new one.")

        async def ask(line: Line) -> bytes:
            self._check(own, line.server.run)
            (reply,) = await line.ask(command)
            if reply == 0:
                (begun,) = await line.ask(("GET", self._keys.begun))
                self._check(own, line.server.run, (begun or b"").decode())
                raise SessionOver(f"Session {own.id} was ended by another process; open a new one.")
            told: bytes = reply
            return told

        try:
            return await self._lines.call(ask, limit=limit)
        except SessionOver:
            await self._drop(own)
            raise

    def _check(self, own: RedisSession, server: str, begun: str | None = None) -> None:
        """Raise SessionOver on another run of the server, or where our data have another beginning."""
        if server == own.begun.run and begun in (None, own.begun.text):
            return
        if not own.is_over:
            own.end()
            # Its floor is this one until we open a session on what has begun since.
            floor = own.begun.first_term
            self._aftermath = Aftermath.of(own, floor=floor, lease=self._lease.seconds, now=self._clock())
        raise SessionOver(f"{self._place.shown} has lost session {own.id}; open a new one.")

    def _learn(self, claims: Collection[Claim]) -> None:
        for own in self._sessions:
            own.seen(claims)

    async def _drop(self, own: RedisSession) -> None:
        own.end()
        self._sessions.discard(own)
        if not self._sessions:
            self._mirror.clear()
            await self._lines.close()


def _own(session: Session) -> RedisSession:
    if not isinstance(session, RedisSession):
        raise TypeError(f"not a session of a Redis store: {session!r}")
    return session
