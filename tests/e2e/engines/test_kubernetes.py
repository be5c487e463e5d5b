"""What is special about Leases: what people see of them, edits by hand, and how a session ends."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest

from onepoller.coordination.errors import SessionOver
from onepoller.coordination.identity import Term
from onepoller.coordination.stores.seam import Liveness, Wish
from onepoller.testing.store_contract.rig import BOT, OTHER, Peer
from tests.e2e.engines.kubernetes_api.peers import (
    Namespace,
    silence,
    until_named,
    watch,
)

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.usefixtures("quiet_http")]


def bot_lease(namespace: Namespace) -> dict[str, Any]:
    """The Lease of the bot of these tests."""
    return namespace.api.leases()[f"onepoller-bot-{BOT}"]


# What people see


async def test_kubectl_shows_who_holds_a_bot(namespace: Namespace) -> None:
    """The standard fields say it: holder, duration, since when, and how often it changed hands."""
    seen = []
    async with namespace.peers("blue", "green") as (first, second):
        mine = await first.take()
        assert mine is not None
        seen.append(bot_lease(namespace)["spec"])
        await second.store.read([BOT])
        await first.write(replace(mine, holder=second.id, term=Term(mine.term + 1)))
        seen.append(bot_lease(namespace)["spec"])
        await second.write(replace(await second.claim(), holder=None))
        seen.append(bot_lease(namespace)["spec"])
    blue, green, free = seen
    assert (blue["holderIdentity"], blue["leaseTransitions"]) == ("host pid 811 ('blue')", 0)
    assert (green["holderIdentity"], green["leaseTransitions"]) == ("host pid 811 ('green')", 1)
    assert (free["holderIdentity"], free["leaseTransitions"]) == ("", 1)
    assert blue["leaseDurationSeconds"] == 1


def test_who_only_looks_leaves_nothing_behind(namespace: Namespace) -> None:
    """A read without a session makes no Lease."""
    snapshot = asyncio.run(namespace.store().read())
    assert (snapshot.claims, snapshot.sessions, namespace.api.leases()) == ({}, {}, {})


async def test_who_only_looks_is_told_of_the_silent(namespace: Namespace) -> None:
    """For people a wall clock is good enough: a dead process is not shown as alive."""
    async with namespace.peers("dead") as (dead,):
        await asyncio.sleep(namespace.lease)
        assert (await namespace.store().read()).sessions[dead.id].liveness is Liveness.SILENT


async def test_a_process_that_ends_leaves_the_bots_lease_alone(namespace: Namespace) -> None:
    """Its own Leases go, its wishes with them."""
    async with namespace.peers("one") as (one,):
        await one.take()
        await one.wish(Wish(bot_id=OTHER, session=one.id))
    assert set(namespace.api.leases()) == {f"onepoller-bot-{BOT}"}


# Edits by hand


def edit_label(lease: dict[str, Any]) -> None:
    """What `kubectl label` does."""
    lease["metadata"]["labels"]["team"] = "bots"


async def test_an_edit_by_hand_ends_no_session(namespace: Namespace) -> None:
    """Another version is not yet an end."""
    async with namespace.peers("one") as (one,):
        namespace.api.edit(f"onepoller-session-{one.id}", edit_label)
        await one.store.beat(one.session)


async def test_an_edit_by_hand_keeps_nobody_alive(namespace: Namespace) -> None:
    """Only a beat is a sign of life: a dead session whose Lease is edited stays silent, and is ended."""
    async with namespace.peers("dead", "heir") as (dead, heir):
        await dead.take()
        await silence(dead, seen_by=heir, lease=namespace.lease)
        namespace.api.edit(f"onepoller-session-{dead.id}", edit_label)
        assert await heir.take(requires_over=dead) is not None


async def test_a_session_whose_lease_was_deleted_is_over(namespace: Namespace) -> None:
    """It is not made anew by its next beat."""
    async with namespace.peers("one") as (one,):
        namespace.api.delete(f"onepoller-session-{one.id}")
        with pytest.raises(SessionOver):
            await one.store.beat(one.session)
    assert namespace.api.leases() == {}


async def test_the_end_of_a_session_is_heard_by_itself(namespace: Namespace) -> None:
    """Its look before delivery is false before its next beat."""
    async with namespace.peers("one") as (one,):
        mine = await one.take()
        assert mine is not None
        async with watch(one) as changes:
            await anext(changes)
            namespace.api.delete(f"onepoller-session-{one.id}")
            await until_named(changes, one)
        assert not one.session.has_claim(BOT, mine.term)


async def test_terms_do_not_go_back_where_a_bots_lease_was_deleted(namespace: Namespace) -> None:
    """It begins anew at its creation time by the server's clock, which is later."""
    async with namespace.peers("one") as (one,):
        before = await one.take()
        await asyncio.sleep(1.01)  # creation times are whole seconds
        namespace.api.delete(f"onepoller-bot-{BOT}")
        after = await one.take()
    assert before is not None
    assert after is not None
    assert (after.version, after.term > before.term) == (1, True)


async def test_a_lease_that_somebody_made_is_free(namespace: Namespace) -> None:
    """What has our name and not our record is taken like a claim that was never written."""
    async with namespace.peers("one") as (one,):
        await one.take()
        namespace.api.edit(f"onepoller-bot-{BOT}", lambda lease: lease["metadata"].pop("annotations"))
        assert (await one.claim()).version == 0
        assert await one.take() is not None


# Ends


async def test_a_session_that_is_over_wishes_for_nothing(namespace: Namespace) -> None:
    """A thawed process leaves no trace."""
    async with namespace.peers("dead", "heir") as (dead, heir):
        await dead.take()
        await silence(dead, seen_by=heir, lease=namespace.lease)
        await heir.take(requires_over=dead)
        with pytest.raises(SessionOver):
            await dead.wish(Wish(bot_id=OTHER, session=dead.id))
        assert not [name for name in namespace.api.leases() if "-wishes-" in name]


async def test_a_beat_comes_before_an_end_or_after_it(namespace: Namespace) -> None:
    """Of a beat and an end at the same time one is refused: never do both believe that they won."""
    for _ in range(10):
        async with namespace.peers("holder", "heir") as (holder, heir):
            await holder.take()
            await silence(holder, seen_by=heir, lease=namespace.lease)
            took, beat = await asyncio.gather(
                heir.take(requires_over=holder),
                holder.store.beat(holder.session, confirm=True),
                return_exceptions=True,
            )
            assert isinstance(beat, SessionOver) == (took is not None)
            await heir.write(replace(await heir.claim(), holder=None))


async def test_a_proof_by_the_kernel_ends_a_session_at_once(namespace: Namespace) -> None:
    """Whoever holds the lock of a dead process of its host needs not wait for its lease."""

    async def bots_end(heir: Peer, dead: Peer) -> None:
        await cast("Any", heir.store).end(heir.session, dead.id)

    async with namespace.peers("dead", "heir") as (dead, heir):
        await dead.take()
        await bots_end(heir, dead)
        with pytest.raises(SessionOver):
            await dead.store.beat(dead.session)
        assert await heir.take(requires_over=dead) is not None


async def test_what_is_over_is_forgotten_when_nothing_names_it(namespace: Namespace) -> None:
    """The next process that starts deletes it."""
    async with namespace.peers("dead", "heir") as (dead, heir):
        await dead.take()
        await dead.take(OTHER)
        await silence(dead, seen_by=heir, lease=namespace.lease)
        await heir.take(requires_over=dead)
        async with namespace.peers("third"):
            assert f"onepoller-session-{dead.id}" in namespace.api.leases()  # the other bot names it
        await heir.take(OTHER, requires_over=dead)
        async with namespace.peers("fourth"):
            assert f"onepoller-session-{dead.id}" not in namespace.api.leases()
