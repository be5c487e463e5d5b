"""Processes of a test that are none: stores of one namespace, each with a session that beats when told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

from onepoller.coordination.errors import OnepollerError
from onepoller.coordination.identity import BotId, Term
from onepoller.coordination.stores.engine import Address
from onepoller.coordination.stores.kubernetes import KubernetesStore, make
from onepoller.coordination.stores.seam import Batch, Change, Claim, Swap
from onepoller.testing.store_contract.rig import Peer, identity
from tests.e2e.engines.kubernetes_api.server import FakeKubernetes

PATIENCE = 10.0
"""Seconds that anything that must happen may take before a test fails."""


class Namespace:
    """The store of one namespace of a fake cluster, as many processes see it."""

    def __init__(self, api: FakeKubernetes, folder: Path, *, lease: float = 0.8, token: str = "") -> None:
        self.api = api
        self.lease = lease
        self._config = folder / "config"
        self._config.write_text(api.kubeconfig(**({"token": token} if token else {})))

    @property
    def url(self) -> str:
        """What `store=` takes."""
        return f"kubernetes://bots?kubeconfig={self._config}"

    def store(self, *, lease: float | None = None) -> KubernetesStore:
        """A store of its own."""
        return make(Address.of(self.url), lease=lease or self.lease)

    @asynccontextmanager
    async def peers(self, *labels: str) -> AsyncIterator[list[Peer]]:
        """A session for each of these; closed in the end, where that is possible."""
        peers = []
        for label in labels:
            store = self.store()
            peers.append(Peer(store=store, session=await store.open(identity(label))))
        try:
            yield peers
        finally:
            for peer in peers:
                try:
                    await peer.store.close(peer.session)
                except OnepollerError:
                    continue  # the test has ended its cluster


async def take_many(peer: Peer, bots: list[BotId]) -> dict[BotId, Claim]:
    """Take free claims in one call."""
    swaps = [Swap(claim=Claim(bot_id=bot_id, holder=peer.id)) for bot_id in bots]
    return dict((await peer.store.swap(peer.session, Batch(swaps=swaps))).written)


async def take_over_many(peer: Peer, dead: Peer, claims: dict[BotId, Claim]) -> dict[BotId, Claim]:
    """Take a dead one's claims in one call."""
    swaps = [
        Swap(claim=replace(claim, holder=peer.id, term=Term(claim.term + 1)), requires_over=dead.id)
        for claim in claims.values()
    ]
    return dict((await peer.store.swap(peer.session, Batch(swaps=swaps))).written)


async def silence(peer: Peer, *, seen_by: Peer, lease: float) -> None:
    """Let a peer be silent for a lease, as the other one sees it; that one beats."""
    await seen_by.liveness(peer)
    for _ in range(4):
        await asyncio.sleep(lease / 4 + 0.01)
        await seen_by.store.beat(seen_by.session)


async def failed(call: Callable[[], Awaitable[object]]) -> OnepollerError:
    """What a call raised."""
    try:
        await call()
    except OnepollerError as error:
        return error
    raise AssertionError("nothing was raised")


def watch(peer: Peer) -> aclosing[AsyncGenerator[Change, None]]:
    """A watch that is closed in the end."""
    return aclosing(cast("AsyncGenerator[Change, None]", peer.store.watch(peer.session)))


async def until_named(changes: AsyncGenerator[Change, None], peer: Peer) -> None:
    """Wait until a session is named."""
    async with asyncio.timeout(PATIENCE):
        async for change in changes:
            if change.session == peer.id:
                return
