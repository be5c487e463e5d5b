"""What the promises stand on: a store under test, and the peers that use it."""

from __future__ import annotations

import abc
import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from typing import TypeVar

from onepoller.coordination.errors import SessionOver
from onepoller.coordination.identity import BotId, Identity, SessionId, Term
from onepoller.coordination.stores.seam import Batch, Claim, Liveness, Session, Store, Swap, Wish

BOT, OTHER = BotId(7000000001), BotId(7000000002)

R = TypeVar("R", bound="Rig")


def promise(test: Callable[[R], Awaitable[None]]) -> Callable[[R], None]:
    """Make a coroutine method a plain test, in a loop of its own."""

    def run(self: R) -> None:
        async def body() -> None:
            self.peers = []
            try:
                await test(self)
            finally:
                for peer in self.peers:
                    await peer.store.close(peer.session)

        asyncio.run(body())

    # Not functools.wraps: by __wrapped__ pytest would see a coroutine function.
    for name in ("__name__", "__qualname__", "__doc__", "__module__"):
        setattr(run, name, getattr(test, name))
    return run


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A process of the test: a handle on the store, and its session."""

    store: Store
    session: Session

    @property
    def id(self) -> SessionId:
        """Its session's id."""
        return self.session.id

    async def claim(self, bot_id: BotId = BOT) -> Claim:
        """The claim as this peer reads it."""
        return (await self.store.read([bot_id])).claims[bot_id]

    async def wishes(self, bot_id: BotId = BOT) -> list[Wish]:
        """The wishes as this peer reads them."""
        return list((await self.store.read([bot_id])).wishes[bot_id])

    async def liveness(self, other: Peer) -> Liveness:
        """How this peer sees another."""
        return (await self.store.read()).sessions[other.id].liveness

    async def write(self, claim: Claim, *, requires_over: Peer | None = None) -> Claim | None:
        """Swap one claim; None if it was refused."""
        swap = Swap(claim=claim, requires_over=requires_over.id if requires_over else None)
        written = (await self.store.swap(self.session, Batch(swaps=[swap]))).written
        return written.get(claim.bot_id)

    async def take(self, bot_id: BotId = BOT, *, requires_over: Peer | None = None) -> Claim | None:
        """Take a claim as it stands now, in the next term; None if it was refused."""
        claim = await self.claim(bot_id)
        mine = replace(claim, holder=self.id, heir=None, term=Term(claim.term + 1))
        return await self.write(mine, requires_over=requires_over)

    async def wish(self, *wishes: Wish, withdrawn: Collection[BotId] = ()) -> None:
        """Write wishes and take some back."""
        await self.store.swap(self.session, Batch(wishes=wishes, withdrawn=tuple(withdrawn)))

    async def is_over(self) -> bool:
        """Whether its beat is refused."""
        try:
            await self.store.beat(self.session)
        except SessionOver:
            return True
        return False


class Rig(abc.ABC):
    """What a store under test must give."""

    lease: float = 10.0
    """The lease of the stores under test, in the seconds of `pass_time`."""
    ends_the_silent: bool = False
    """The store ends a silent session by itself, and not only when somebody takes a claim from it."""
    peers: list[Peer]

    @abc.abstractmethod
    async def store(self) -> Store:
        """Make a new, empty store."""

    @abc.abstractmethod
    async def handle(self, store: Store) -> Store:
        """Give another process's view of the same store; it may be the same object."""

    @abc.abstractmethod
    async def kill(self, store: Store, session: Session) -> None:
        """Let a session's process die without a word."""

    @abc.abstractmethod
    async def pass_time(self, seconds: float) -> None:
        """Let time pass on every clock that the store uses."""

    async def alone(self, label: str = "first") -> Peer:
        """One peer on a new store."""
        return await self._join(await self.store(), label)

    async def pair(self) -> tuple[Peer, Peer]:
        """Two peers on one new store."""
        first = await self.alone()
        return first, await self.join(first)

    async def join(self, peer: Peer, label: str = "second") -> Peer:
        """One more peer."""
        return await self._join(await self.handle(peer.store), label)

    async def die(self, peer: Peer) -> None:
        """Let a peer's process die without a word."""
        await self.kill(peer.store, peer.session)

    async def silence(self, peer: Peer, *, seen_by: Peer) -> None:
        """Let a peer be frozen for a lease, as the other one sees it."""
        await seen_by.liveness(peer)
        parts = 4 if self.ends_the_silent else 1  # it would end the one who looks, too
        for _ in range(parts):
            await self.pass_time(self.lease / parts)
            await seen_by.store.beat(seen_by.session, confirm=True)

    async def _join(self, store: Store, label: str) -> Peer:
        peer = Peer(store=store, session=await store.open(identity(label)))
        self.peers.append(peer)
        return peer


def identity(label: str = "") -> Identity:
    """An instance that exists nowhere."""
    return Identity(
        host="host", boot_id="boot", pid_namespace=1, pid=811, start_ticks=1, started_at=1.5, label=label
    )
