"""The store in Kubernetes: sessions, wishes and claims as Leases of one namespace."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import aclosing, nullcontext, suppress
from dataclasses import replace
from typing import cast

from onepoller.coordination.errors import SessionOver, SetupError, StoreUnavailable
from onepoller.coordination.identity import BotId, Identity, SessionId
from onepoller.coordination.stores.kubernetes.access import Access
from onepoller.coordination.stores.kubernetes.claims import Claims
from onepoller.coordination.stores.kubernetes.client import Client
from onepoller.coordination.stores.kubernetes.endings import Endings
from onepoller.coordination.stores.kubernetes.failure import later
from onepoller.coordination.stores.kubernetes.names import Names
from onepoller.coordination.stores.kubernetes.observer import Observer
from onepoller.coordination.stores.kubernetes.own import Own
from onepoller.coordination.stores.kubernetes.processes import Processes, Seen
from onepoller.coordination.stores.kubernetes.tidying import Tidying
from onepoller.coordination.stores.kubernetes.together import together
from onepoller.coordination.stores.kubernetes.watching import Watching
from onepoller.coordination.stores.lease import Lease
from onepoller.coordination.stores.seam import Batch, Change, Claim, Session, Snapshot, Swap, Swapped


class KubernetesStore:
    """See `Store`. Opens nothing before its first call; the last session closes its connections."""

    def __init__(
        self, access: Access, *, prefix: str, lease: Lease, shown: str, slow_look: float = 1.0
    ) -> None:
        self._lease = lease
        self._shown = shown
        self._slow_look = slow_look
        self._names = Names(prefix)
        self._observer = Observer()
        self._client = Client(access, shown=shown, limit=min(5.0, lease.seconds))
        self._who: dict[SessionId, str] = {}
        self._own: dict[SessionId, Own] = {}
        self._watching: dict[SessionId, Watching] = {}
        self._processes = Processes(self._client, self._names, self._observer)
        self._endings = Endings(self._client, self._names, self._observer)
        self._claims = Claims(
            self._client,
            self._names,
            lease=lease.seconds,
            who=lambda session: self._who.get(session, session),
        )

        self._tidying = Tidying(self._processes, self._claims, self._endings, self._observer)

    def __repr__(self) -> str:
        return f"<KubernetesStore {self._shown} {len(self._own)} sessions>"

    async def open(self, identity: Identity) -> Session:
        """A new session, alive from now on."""
        own = Own(self._client, self._names, identity=identity, lease=self._lease)
        try:
            await self._tidying.tidy()  # first: where rights are missing nothing is left behind
            await own.create()
        except BaseException:
            await self._close_unused()
            raise
        self._own[own.id] = own
        self._who[own.id] = identity.who
        return own

    async def close(self, session: Session) -> None:
        """End a session: its claims are free, its wishes gone, everybody is woken. Idempotent."""
        own = self._own.pop(session.id, None)
        if own is None:
            return
        try:
            if not own.is_over:
                with later():
                    # First: one request, and all of its claims can be taken, however many there are.
                    await own.delete()
                    await self._free_all(own.id)
        finally:
            own.end()
            if session.id in self._watching:
                self._watching[session.id].stop()
            await self._close_unused()

    async def beat(self, session: Session, *, report: bytes = b"", confirm: bool = False) -> None:  # noqa: ARG002  # every beat is in the server's order
        """Say that the session lives, and move its deadline."""
        with later():
            await self._living(session).beat(report)
            if self._tidying.is_due:
                with suppress(StoreUnavailable, SetupError):  # the beat was heard; the rest can wait
                    await self._tidying.tidy()

    async def read(self, bots: Collection[BotId] | None = None) -> Snapshot:
        """Claims, wishes and sessions of these bots, or of all."""
        if not self._own:
            try:
                return await self._read(bots)
            finally:
                await self._close_unused()
        with later():
            return await self._read(bots)

    async def swap(self, session: Session, batch: Batch) -> Swapped:
        """Write many claims and wishes in one call; each claim only if its version is the expected one."""
        own = self._living(session)
        if any(wish.session != own.id for wish in batch.wishes):
            raise ValueError("a session writes its own wishes only")
        with later():
            await own.confirm_if_late()
            allowed = await self._allowed(batch.swaps)
            written = await self._claims.write(
                [swap.claim for swap in allowed], may_write=own.confirm_if_late
            )
            own.seen(written.values())
            # What was written is written, and is told, whatever becomes of the rest.
            trouble = suppress(StoreUnavailable) if written else nullcontext()
            wished = False
            with trouble:
                wished = await own.wish(batch.wishes, batch.taken_back(written))
            if written or wished or batch.wake:
                with trouble:
                    # It also proves that the session still lived when all of this was written.
                    await own.announce(batch.wake, written)
        return Swapped(written=written)

    async def watch(self, session: Session) -> AsyncIterator[Change]:
        """Yield at once, when woken, when a session ends or falls silent, and at a slow look with news."""
        own = self._own.get(session.id)
        if own is None:
            return
        watching = Watching(
            self._client, self._names, self._observer, own, self._claims.fresh, lease=self._lease.seconds
        )
        self._watching[own.id] = watching
        try:
            with later():
                heard = watching.hear(slow_look=self._slow_look)
                async with aclosing(cast("AsyncGenerator[Change, None]", heard)) as changes:
                    async for change in changes:
                        yield change
        finally:
            self._watching.pop(own.id, None)

    async def end(self, session: Session, dead: SessionId) -> None:
        """See `EngineStore`."""
        own = self._living(session)
        with later():
            await own.confirm_if_late()
            await self._endings.end(dead)

    def _living(self, session: Session) -> Own:
        own = self._own.get(session.id)
        if own is None:
            raise SessionOver(f"Session {session.id} is over; open a new one.")
        own.check()
        return own

    async def _read(self, bots: Collection[BotId] | None) -> Snapshot:
        is_current = any(watching.is_current for watching in self._watching.values())
        seen: Seen | None = None
        claims: dict[BotId, Claim] = {}

        async def read_claims() -> None:
            claims.update(await self._claims.read(bots, trusting=is_current))

        async def read_processes() -> None:
            nonlocal seen
            seen = await self._processes.read()

        await together([read_claims(), read_processes()])
        assert seen is not None
        if bots is None:
            claims |= {bot_id: Claim(bot_id=bot_id) for bot_id in seen.wishes if bot_id not in claims}
            await self._processes.add_reports(seen)
        wishes = {bot_id: tuple(seen.wishes.get(bot_id, ())) for bot_id in claims}
        named = {name for claim in claims.values() for name in (claim.holder, claim.heir) if name is not None}
        named |= {wish.session for standing in wishes.values() for wish in standing}
        await self._processes.complete(seen, named)
        self._who |= {known.id: known.identity.who for known in seen.sessions.values()}
        for own in self._own.values():
            own.seen(claims.values())
        sessions = {
            known.id: self._processes.record(known, by_wall_clock=not self._own)
            for known in seen.sessions.values()
            if bots is None or known.id in named
        }
        return Snapshot(claims=claims, wishes=wishes, sessions=sessions)

    async def _allowed(self, swaps: Collection[Swap]) -> list[Swap]:
        """Those that need no proof, or whose proof was made."""
        asked: dict[SessionId, list[Swap]] = {}
        for swap in swaps:
            if swap.requires_over is not None:
                asked.setdefault(swap.requires_over, []).append(swap)
        over = {
            session_id for session_id, needed in asked.items() if await self._is_proved(session_id, needed)
        }
        return [swap for swap in swaps if swap.requires_over is None or swap.requires_over in over]

    async def _is_proved(self, session_id: SessionId, swaps: Collection[Swap]) -> bool:
        """Whether the session is over; it is ended only where one of these claims stands as expected."""
        for swap in swaps:
            claim = await self._claims.look(swap.claim.bot_id)
            if claim.version == swap.claim.version:
                return await self._endings.is_over(session_id)
        return False

    async def _free_all(self, gone: SessionId) -> None:
        """What nobody has taken meanwhile is written free: a session that is gone has no name for people."""
        held = await self._claims.held_by(gone)
        freed = [replace(claim, holder=None, heir=None, clean=False) for claim in held]
        await self._claims.write(freed, may_write=_always)

    async def _close_unused(self) -> None:
        if not self._own:
            await self._client.close()


async def _always() -> None:
    """What frees the claims of a session that is gone needs none."""
