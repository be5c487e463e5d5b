"""Several clients of one bot at one proxy, and at two: one polls, the others get slow empty lists."""

from __future__ import annotations

import asyncio

import pytest

from onepoller.testing.botapi import conflicts
from tests.e2e.bots.at_server import AT_ONCE
from tests.e2e.proxy.conftest import BOT, Bench

pytestmark = [pytest.mark.slow, pytest.mark.anyio]


async def test_standby_at_another_proxy_is_a_slow_empty_list(bench: Bench) -> None:
    """It takes the client's own timeout, and nothing is sent for it."""
    one, two = bench.client(await bench.proxy(), "one"), bench.client(await bench.proxy(), "two")
    poll = one.polling()
    await bench.parked("one")
    reply = await two.poll(timeout=2)
    poll.cancel()
    assert (reply.status, reply.ids, 2.0 <= reply.seconds < 2.6) == (200, [], True)
    assert {row.poller for row in bench.polls()} == {"one"}


async def test_standby_at_the_same_proxy_is_a_slow_empty_list(bench: Bench) -> None:
    """The turn rule of one proxy looks the same to a client."""
    proxy = await bench.proxy()
    one, two = bench.client(proxy, "one"), bench.client(proxy, "two")
    poll = one.polling()
    await bench.parked("one")
    reply = await two.poll(timeout=2)
    poll.cancel()
    assert (reply.status, reply.ids, 2.0 <= reply.seconds < 2.3) == (200, [], True)
    assert {row.poller for row in bench.polls()} == {"one"}


async def test_a_deploy_behind_one_proxy_splits_and_repeats_nothing(bench: Bench) -> None:
    """The new client gets its first message when the old one has gone, from where that one ended."""
    proxy = await bench.proxy()
    old, new = bench.client(proxy, "old"), bench.client(proxy, "new")
    first = [made.update_id for made in bench.fake.push(BOT, 2)]
    got = (await old.poll(timeout=20)).ids
    assert got == first
    waiting = new.polling(0, 20)
    again = old.polling(got[-1] + 1, 20)
    await bench.parked("old")
    await old.close()
    await asyncio.wait((again,))
    second = [made.update_id for made in bench.fake.push(BOT, 1)]
    assert (await waiting).ids == second
    assert conflicts(bench.polls()) == []


async def test_what_was_acknowledged_here_is_not_given_to_the_next_client(bench: Bench) -> None:
    """The last client's offset did not reach Telegram; the next client, starting at 0, does not get it."""
    proxy = await bench.proxy()
    old, new = bench.client(proxy, "old"), bench.client(proxy, "new")
    bench.fake.push(BOT, 2)
    got = (await old.poll(timeout=20)).ids
    bench.fake.fault(BOT, "reset")
    assert (await old.poll(got[-1] + 1)).status == 502
    await old.close()
    waiting = new.polling(0, 20)
    await bench.parked("new")
    pushed = [made.update_id for made in bench.fake.push(BOT, 1)]
    assert (await waiting).ids == pushed


async def test_a_broken_poll_gives_the_turn_to_who_waits_here(bench: Bench) -> None:
    """At once, not after a stall limit."""
    proxy = await bench.proxy()
    one, two = bench.client(proxy, "one"), bench.client(proxy, "two")
    bench.fake.push(BOT, 1)
    offset = (await one.poll()).ids[-1] + 1
    poll = one.polling(offset)
    await bench.parked("one")
    waiting = two.polling()
    await two.call("getMe")  # over a second connection: the poll is there by then
    await one.close()
    row = await bench.parked("two")
    waiting.cancel()
    poll.cancel()
    gone = [row for row in bench.polls() if row.poller == "one"][-1]
    assert gone.closed_at is not None
    assert row.arrived_at - gone.closed_at < AT_ONCE


async def test_a_client_that_has_gone_frees_the_bot_for_another_proxy(bench: Bench) -> None:
    """It closes an idle connection in the middle of its work; a second later the other proxy polls."""
    one, two = bench.client(await bench.proxy(), "one"), bench.client(await bench.proxy(), "two")
    pushed = [made.update_id for made in bench.fake.push(BOT, 1)]
    assert (await one.poll()).ids == pushed
    waiting = two.polling()
    await asyncio.sleep(0.1)
    await one.close()
    assert (await waiting).ids == pushed  # it was never acknowledged


async def test_the_owner_is_known_on_another_connection(bench: Bench) -> None:
    """A client that opens one for each poll keeps its turn before one that waits."""
    proxy = await bench.proxy()
    names = [bench.client(proxy, f"one-{n}") for n in range(3)]
    two = bench.client(proxy, "two")
    offset, seen = 0, []
    waiting: asyncio.Task[object] | None = None
    for client in names:
        bench.fake.push(BOT, 1)
        reply = await client.poll(offset)
        offset = reply.ids[-1] + 1
        seen += reply.ids
        if waiting is None:
            waiting = asyncio.create_task(two.poll(0, 1))
            await asyncio.sleep(0)
    assert waiting is not None
    await waiting
    assert (len(seen), {row.poller for row in bench.polls()}) == (3, {"one-0", "one-1", "one-2"})


async def test_a_client_is_not_locked_out_by_its_own_dead_connection(bench: Bench) -> None:
    """It comes back with its offset while its old poll still looks open: that one ends, the new one polls."""
    proxy = await bench.proxy()
    old, new = bench.client(proxy, "old"), bench.client(proxy, "new")
    bench.fake.push(BOT, 1)
    offset = (await old.poll()).ids[-1] + 1
    hanging = old.polling(offset)
    await bench.parked("old")
    again = new.polling(offset)
    await bench.parked("new")
    pushed = [made.update_id for made in bench.fake.push(BOT, 1)]
    assert ((await hanging).status, (await again).ids) == (0, pushed)


async def test_a_rival_is_not_seen_by_the_client(bench: Bench) -> None:
    """A 409 stays here: the client waits its time, and gets an empty list or its updates."""
    client = bench.client(await bench.proxy(), "one")
    bench.fake.start_rival(BOT, "ptb")
    replies = [await client.poll(timeout=3) for _ in range(2)]
    assert {reply.status for reply in replies} == {200}
    assert conflicts(bench.polls()) != []


async def test_a_confirm_on_the_way_out_is_answered_here(bench: Bench) -> None:
    """It comes after a cancelled poll, with an offset that is known already: nothing is sent."""
    proxy = await bench.proxy()
    one = bench.client(proxy, "one")
    bench.fake.push(BOT, 1)
    offset = (await one.poll()).ids[-1] + 1
    poll = one.polling(offset)
    await bench.parked("one")
    await asyncio.sleep(1.0)  # it counts as accepted from then on
    poll.cancel()
    await asyncio.wait((poll,))
    reply = await bench.client(proxy, "last").poll(offset, timeout=0)
    assert (reply.status, reply.ids, reply.seconds < 0.5) == (200, [], True)
    assert [row.poller for row in bench.polls()] == ["one", "one"]


async def test_short_polls_without_the_turn_do_not_spin(bench: Bench) -> None:
    """The first is answered at once, the next one after a second."""
    proxy = await bench.proxy()
    one, two = bench.client(proxy, "one"), bench.client(proxy, "two")
    poll = one.polling()
    await bench.parked("one")
    first, second = await two.poll(timeout=0), await two.poll(timeout=0)
    poll.cancel()
    assert (first.seconds < 0.3, 0.9 < second.seconds < 1.5) == (True, True)


async def test_a_refused_token_does_not_lock_out_the_new_one(bench: Bench) -> None:
    """The client with the old token hears 401; the one that waits polls at once."""
    proxy = await bench.proxy()
    old, new = bench.client(proxy, "old"), bench.client(proxy, "new")
    bench.fake.fault(BOT, "unauthorized_401", poller="old", times=9)
    assert (await old.poll()).status == 401
    poll = new.polling()
    await bench.parked("new")
    poll.cancel()
