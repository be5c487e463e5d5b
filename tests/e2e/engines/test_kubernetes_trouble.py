"""Trouble with an API server: lost answers, 429, 500, restarts, watches that end, missing rights."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from onepoller.coordination.errors import StoreUnavailable
from onepoller.coordination.stores.seam import Batch, Change, Swap, Wish
from onepoller.testing.store_contract.rig import BOT, OTHER, Peer, identity
from tests.e2e.engines.kubernetes_api.peers import (
    PATIENCE,
    Namespace,
    failed,
    silence,
    until_named,
    watch,
)

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.usefixtures("quiet_http")]


# Answers that are lost


async def test_a_claim_whose_answer_was_lost_is_ours(namespace: Namespace) -> None:
    """The write was done, the connection broke: it is found to be our own, and nothing is written twice."""
    async with namespace.peers("one") as (one,):
        namespace.api.lose_answers("create")
        made = await one.take()
        namespace.api.lose_answers("update")
        assert made is not None
        made, written = [made, await one.write(replace(made, clean=False))]
    assert made is not None
    assert written == replace(made, clean=False, version=2)


async def test_a_session_whose_answer_was_lost_is_open(namespace: Namespace) -> None:
    """One session, and it beats."""
    namespace.api.lose_answers("create")
    async with namespace.peers("one") as (one,):
        await one.store.beat(one.session)
        assert len((await one.store.read()).sessions) == 1


async def test_a_beat_whose_answer_was_lost_ends_nothing(namespace: Namespace) -> None:
    """Our own write is not taken for somebody else's."""
    async with namespace.peers("one") as (one,):
        namespace.api.lose_answers("update")
        await one.store.beat(one.session)
        await one.store.beat(one.session, confirm=True)


async def test_an_end_whose_answer_was_lost_stands(namespace: Namespace) -> None:
    """The dead session is over, and its claim is taken."""
    async with namespace.peers("dead", "heir") as (dead, heir):
        await dead.take()
        await silence(dead, seen_by=heir, lease=namespace.lease)
        namespace.api.lose_answers("update")
        assert await heir.take(requires_over=dead) is not None


async def test_a_wish_whose_answer_was_lost_keeps_its_place(namespace: Namespace) -> None:
    """It stands before who came after it."""
    async with namespace.peers("one", "two") as (one, two):
        await one.wish(Wish(bot_id=OTHER, session=one.id))
        namespace.api.lose_answers("update")
        await one.wish(Wish(bot_id=BOT, session=one.id))
        await two.wish(Wish(bot_id=BOT, session=two.id))
        names = {one.id: "one", two.id: "two"}
        assert [names[wish.session] for wish in await two.wishes()] == ["one", "two"]


# Trouble with the server


async def test_a_busy_server_is_asked_again(namespace: Namespace) -> None:
    """429 was not executed: the same request is sent again, when the server says so."""
    async with namespace.peers("one") as (one,):
        namespace.api.be_busy("create", "get", "update", times=2)
        assert await one.take() is not None


async def test_a_server_that_stays_busy_is_trouble_in_one_sentence(namespace: Namespace) -> None:
    """A beat does not wait for ever."""
    async with namespace.peers("one") as (one,):
        namespace.api.be_busy("update", times=1, retry_after="5")
        assert (
            str(await failed(lambda: one.store.beat(one.session)))
            == "kubernetes://bots is too busy (429); it is tried again."
        )


async def test_a_server_that_breaks_is_trouble_that_passes(namespace: Namespace) -> None:
    """500: nothing was written as far as we know; the next call goes through."""
    async with namespace.peers("one") as (one,):
        namespace.api.be_broken("update")
        assert isinstance(await failed(lambda: one.store.beat(one.session)), StoreUnavailable)
        await one.store.beat(one.session)


async def test_a_claim_that_was_written_is_told_of_though_a_wish_beside_it_was_not(
    namespace: Namespace,
) -> None:
    """Its heir looks, and does not go by what it has read before."""
    namespace.lease = 60.0  # no watch is begun again meanwhile, with which all is read
    async with namespace.peers("one", "heir") as (one, heir), watch(heir) as changes:
        held = await one.take()
        assert held is not None
        async with asyncio.timeout(PATIENCE):
            await anext(changes)
            await heir.store.beat(heir.session)
            heard = heir.store._watching[heir.id]  # type: ignore[attr-defined]  # as `Store`
            while not heard.is_current:  # noqa: ASYNC110  # of which there is no news
                await asyncio.sleep(0.01)
            assert (await heir.claim()).holder == one.id
            namespace.api.be_broken("create")
            batch = Batch(
                swaps=[Swap(claim=replace(held, holder=None, heir=heir.id))],
                wishes=[Wish(bot_id=OTHER, session=one.id)],
                wake={heir.id},
            )
            await one.store.swap(one.session, batch)
            await one.store.beat(one.session)
            async for _ in changes:
                if (await heir.claim()).heir == heir.id:
                    return


async def test_a_beat_gives_up_on_a_frozen_server_in_time(namespace: Namespace) -> None:
    """A quarter of a lease: the holder knows before its deadline."""
    async with namespace.peers("one") as (one,):
        await one.store.beat(one.session)
        namespace.api.freeze()
        began = time.monotonic()
        assert isinstance(await failed(lambda: one.store.beat(one.session)), StoreUnavailable)
        seconds = time.monotonic() - began
        namespace.api.thaw()
        await one.store.beat(one.session)
    assert seconds < namespace.lease


async def test_everything_goes_on_after_a_restart_of_the_server(namespace: Namespace) -> None:
    """Beats fail while it is away; the session, the claim and the watch are healed by themselves."""
    async with namespace.peers("holder", "standby") as (holder, standby):
        mine = await holder.take()
        assert mine is not None
        async with watch(standby) as changes:
            await anext(changes)
            namespace.api.stop()
            assert isinstance(await failed(lambda: holder.store.beat(holder.session)), StoreUnavailable)
            namespace.api.start()
            await holder.store.beat(holder.session)
        assert holder.session.has_claim(BOT, mine.term)
        async with watch(standby) as changes:
            await holder.store.close(holder.session)
            await until_named(changes, holder)


async def test_a_watch_says_that_the_server_is_away(namespace: Namespace) -> None:
    """It raises, and the instance watches again a second later."""

    async def _to_the_end(changes: AsyncGenerator[Change, None]) -> None:
        async with asyncio.timeout(PATIENCE):
            async for _ in changes:
                pass

    async with namespace.peers("one") as (one,), watch(one) as changes:
        await anext(changes)
        namespace.api.stop()
        assert isinstance(await failed(lambda: _to_the_end(changes)), StoreUnavailable)
        namespace.api.start()


@pytest.mark.parametrize("trouble", ["close_watches", "forget_history"])
async def test_a_watch_that_is_ended_goes_on(namespace: Namespace, trouble: str) -> None:
    """Whether the server closes it, or has forgotten where it stood (410)."""
    async with namespace.peers("first", "second") as (first, second), watch(second) as changes:
        await anext(changes)
        await asyncio.sleep(0.1)
        if trouble == "forget_history":
            namespace.api.forget_history()
        namespace.api.close_watches()
        await first.store.close(first.session)
        await until_named(changes, first)


# Rights


@pytest.mark.parametrize("verb", ["get", "list", "watch", "create", "update", "delete"])
def test_each_granted_verb_is_needed(namespace: Namespace, verb: str) -> None:
    """Without it something is refused, in a sentence that names it and the manifest."""
    namespace.api.granted -= {verb}
    assert asyncio.run(_refused(namespace)) == (
        f"kubernetes://bots: we may not {verb} leases in the namespace bots (403): grant it to our service"
        " account or user, as deploy/kubernetes/rbac.yaml does."
    )


async def _refused(namespace: Namespace) -> str:
    """Do all that a process does; what was refused first."""
    store = namespace.store()
    steps: list[Callable[[Peer], Any]] = [
        lambda one: one.take(),
        lambda one: one.store.beat(one.session),
        _watch_for_a_moment,
        lambda one: one.store.close(one.session),
    ]
    try:
        one = Peer(store=store, session=await store.open(identity("one")))
        for step in steps:
            await step(one)
    except Exception as error:  # noqa: BLE001  # whatever it is, it is what is looked at
        refusal = str(error)
        await store._client.close()
        return refusal
    return "nothing"


async def _watch_for_a_moment(one: Peer) -> None:
    with suppress(TimeoutError):
        async with watch(one) as changes, asyncio.timeout(0.5):
            async for _ in changes:
                pass
