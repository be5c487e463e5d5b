"""What is special about Kubernetes: lost answers, edits by hand, watches that end, a busy API server."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from onepoller.coordination.errors import SessionOver, StoreUnavailable
from onepoller.coordination.identity import BotId, Term
from onepoller.coordination.report import Role, row
from onepoller.coordination.stores.seam import Batch, Change, Claim, Liveness, Swap, Wish
from onepoller.testing.store_contract.rig import BOT, OTHER, Peer, identity
from tests.e2e.engines.kubernetes_api.peers import Namespace, failed, silence, take_many, take_over_many
from tests.e2e.engines.kubernetes_api.server import FakeKubernetes

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quiet_http")]
PATIENCE = 10.0


@pytest.fixture
def api(own_kubernetes_api: FakeKubernetes) -> FakeKubernetes:
    """Give a cluster of the test's own."""
    return own_kubernetes_api


@pytest.fixture
def bots(api: FakeKubernetes, tmp_path: Path) -> Namespace:
    """Give its namespace."""
    return Namespace(api, tmp_path)


def watch(peer: Peer) -> aclosing[AsyncGenerator[Change, None]]:
    """A watch that is closed in the end."""
    return aclosing(cast("AsyncGenerator[Change, None]", peer.store.watch(peer.session)))


async def until_named(changes: AsyncGenerator[Change, None], peer: Peer) -> None:
    """Wait until a session is named."""
    async with asyncio.timeout(PATIENCE):
        async for change in changes:
            if change.session == peer.id:
                return


def bot_lease(api: FakeKubernetes) -> dict[str, Any]:
    """The Lease of the bot of these tests."""
    return api.leases()[f"onepoller-bot-{BOT}"]


# What people see


def test_kubectl_shows_who_holds_a_bot(api: FakeKubernetes, bots: Namespace) -> None:
    """The standard fields say it: holder, duration, since when, and how often it changed hands."""

    async def body() -> list[dict[str, Any]]:
        seen = []
        async with bots.peers("blue", "green") as (first, second):
            mine = await first.take()
            assert mine is not None
            seen.append(bot_lease(api)["spec"])
            await second.store.read([BOT])
            await first.write(replace(mine, holder=second.id, term=Term(mine.term + 1)))
            seen.append(bot_lease(api)["spec"])
            await second.write(replace(await second.claim(), holder=None))
            seen.append(bot_lease(api)["spec"])
        return seen

    blue, green, free = asyncio.run(body())
    assert (blue["holderIdentity"], blue["leaseTransitions"]) == ("host pid 811 ('blue')", 0)
    assert (green["holderIdentity"], green["leaseTransitions"]) == ("host pid 811 ('green')", 1)
    assert (free["holderIdentity"], free["leaseTransitions"]) == ("", 1)
    assert blue["leaseDurationSeconds"] == 1


def test_who_only_looks_leaves_nothing_behind(api: FakeKubernetes, bots: Namespace) -> None:
    """A read without a session makes no Lease."""
    snapshot = asyncio.run(bots.store().read())
    assert (snapshot.claims, snapshot.sessions, api.leases()) == ({}, {}, {})


def test_who_only_looks_is_told_of_the_silent(bots: Namespace) -> None:
    """For people a wall clock is good enough: a dead process is not shown as alive."""

    async def body() -> Liveness:
        async with bots.peers("dead") as (dead,):
            await asyncio.sleep(bots.lease)
            return (await bots.store().read()).sessions[dead.id].liveness

    assert asyncio.run(body()) is Liveness.SILENT


def test_a_process_that_ends_leaves_the_bots_lease_alone(api: FakeKubernetes, bots: Namespace) -> None:
    """Its own Leases go, its wishes with them."""

    async def body() -> None:
        async with bots.peers("one") as (one,):
            await one.take()
            await one.wish(Wish(bot_id=OTHER, session=one.id))

    asyncio.run(body())
    assert set(api.leases()) == {f"onepoller-bot-{BOT}"}


# Answers that are lost


def test_a_claim_whose_answer_was_lost_is_ours(api: FakeKubernetes, bots: Namespace) -> None:
    """The write was done, the connection broke: it is found to be our own, and nothing is written twice."""

    async def body() -> list[Claim | None]:
        async with bots.peers("one") as (one,):
            api.lose_answers("create")
            made = await one.take()
            api.lose_answers("update")
            assert made is not None
            return [made, await one.write(replace(made, clean=False))]

    made, written = asyncio.run(body())
    assert made is not None
    assert written == replace(made, clean=False, version=2)


def test_a_session_whose_answer_was_lost_is_open(api: FakeKubernetes, bots: Namespace) -> None:
    """One session, and it beats."""

    async def body() -> int:
        api.lose_answers("create")
        async with bots.peers("one") as (one,):
            await one.store.beat(one.session)
            return len((await one.store.read()).sessions)

    assert asyncio.run(body()) == 1


def test_a_beat_whose_answer_was_lost_ends_nothing(api: FakeKubernetes, bots: Namespace) -> None:
    """Our own write is not taken for somebody else's."""

    async def body() -> None:
        async with bots.peers("one") as (one,):
            api.lose_answers("update")
            await one.store.beat(one.session)
            await one.store.beat(one.session, confirm=True)

    asyncio.run(body())


def test_an_end_whose_answer_was_lost_stands(api: FakeKubernetes, bots: Namespace) -> None:
    """The dead session is over, and its claim is taken."""

    async def body() -> Claim | None:
        async with bots.peers("dead", "heir") as (dead, heir):
            await dead.take()
            await silence(dead, seen_by=heir, lease=bots.lease)
            api.lose_answers("update")
            return await heir.take(requires_over=dead)

    assert asyncio.run(body()) is not None


def test_a_wish_whose_answer_was_lost_keeps_its_place(api: FakeKubernetes, bots: Namespace) -> None:
    """It stands before who came after it."""

    async def body() -> list[str]:
        async with bots.peers("one", "two") as (one, two):
            await one.wish(Wish(bot_id=OTHER, session=one.id))
            api.lose_answers("update")
            await one.wish(Wish(bot_id=BOT, session=one.id))
            await two.wish(Wish(bot_id=BOT, session=two.id))
            names = {one.id: "one", two.id: "two"}
            return [names[wish.session] for wish in await two.wishes()]

    assert asyncio.run(body()) == ["one", "two"]


# Trouble with the server


def test_a_busy_server_is_asked_again(api: FakeKubernetes, bots: Namespace) -> None:
    """429 was not executed: the same request is sent again, when the server says so."""

    async def body() -> Claim | None:
        async with bots.peers("one") as (one,):
            api.be_busy("create", "get", "update", times=2)
            return await one.take()

    assert asyncio.run(body()) is not None


def test_a_server_that_stays_busy_is_trouble_in_one_sentence(api: FakeKubernetes, bots: Namespace) -> None:
    """A beat does not wait for ever."""

    async def body() -> str:
        async with bots.peers("one") as (one,):
            api.be_busy("update", times=1, retry_after="5")
            return str(await failed(lambda: one.store.beat(one.session)))

    assert asyncio.run(body()) == "kubernetes://bots is too busy (429); it is tried again."


def test_a_server_that_breaks_is_trouble_that_passes(api: FakeKubernetes, bots: Namespace) -> None:
    """500: nothing was written as far as we know; the next call goes through."""

    async def body() -> None:
        async with bots.peers("one") as (one,):
            api.be_broken("update")
            assert isinstance(await failed(lambda: one.store.beat(one.session)), StoreUnavailable)
            await one.store.beat(one.session)

    asyncio.run(body())


def test_a_beat_gives_up_on_a_frozen_server_in_time(api: FakeKubernetes, bots: Namespace) -> None:
    """A quarter of a lease: the holder knows before its deadline."""

    async def body() -> float:
        async with bots.peers("one") as (one,):
            await one.store.beat(one.session)
            api.freeze()
            began = time.monotonic()
            assert isinstance(await failed(lambda: one.store.beat(one.session)), StoreUnavailable)
            seconds = time.monotonic() - began
            api.thaw()
            await one.store.beat(one.session)
            return seconds

    assert asyncio.run(body()) < bots.lease


def test_everything_goes_on_after_a_restart_of_the_server(api: FakeKubernetes, bots: Namespace) -> None:
    """Beats fail while it is away; the session, the claim and the watch are healed by themselves."""

    async def body() -> None:
        async with bots.peers("holder", "standby") as (holder, standby):
            mine = await holder.take()
            assert mine is not None
            async with watch(standby) as changes:
                await anext(changes)
                api.stop()
                assert isinstance(await failed(lambda: holder.store.beat(holder.session)), StoreUnavailable)
                api.start()
                await holder.store.beat(holder.session)
            assert holder.session.has_claim(BOT, mine.term)
            async with watch(standby) as changes:
                await holder.store.close(holder.session)
                await until_named(changes, holder)

    asyncio.run(body())


def test_a_watch_says_that_the_server_is_away(api: FakeKubernetes, bots: Namespace) -> None:
    """It raises, and the instance watches again a second later."""

    async def body() -> None:
        async with bots.peers("one") as (one,), watch(one) as changes:
            await anext(changes)
            api.stop()
            assert isinstance(await failed(lambda: _to_the_end(changes)), StoreUnavailable)
            api.start()

    async def _to_the_end(changes: AsyncGenerator[Change, None]) -> None:
        async with asyncio.timeout(PATIENCE):
            async for _ in changes:
                pass

    asyncio.run(body())


@pytest.mark.parametrize("trouble", ["close_watches", "forget_history"])
def test_a_watch_that_is_ended_goes_on(api: FakeKubernetes, bots: Namespace, trouble: str) -> None:
    """Whether the server closes it, or has forgotten where it stood (410)."""

    async def body() -> None:
        async with bots.peers("first", "second") as (first, second), watch(second) as changes:
            await anext(changes)
            await asyncio.sleep(0.1)
            if trouble == "forget_history":
                api.forget_history()
            api.close_watches()
            await first.store.close(first.session)
            await until_named(changes, first)

    asyncio.run(body())


# Edits by hand


def edit_label(lease: dict[str, Any]) -> None:
    """What `kubectl label` does."""
    lease["metadata"]["labels"]["team"] = "bots"


def test_an_edit_by_hand_ends_no_session(api: FakeKubernetes, bots: Namespace) -> None:
    """Another version is not yet an end."""

    async def body() -> None:
        async with bots.peers("one") as (one,):
            api.edit(f"onepoller-session-{one.id}", edit_label)
            await one.store.beat(one.session)

    asyncio.run(body())


def test_an_edit_by_hand_keeps_nobody_alive(api: FakeKubernetes, bots: Namespace) -> None:
    """Only a beat is a sign of life: a dead session whose Lease is edited stays silent, and is ended."""

    async def body() -> Claim | None:
        async with bots.peers("dead", "heir") as (dead, heir):
            await dead.take()
            await silence(dead, seen_by=heir, lease=bots.lease)
            api.edit(f"onepoller-session-{dead.id}", edit_label)
            return await heir.take(requires_over=dead)

    assert asyncio.run(body()) is not None


def test_a_session_whose_lease_was_deleted_is_over(api: FakeKubernetes, bots: Namespace) -> None:
    """It is not made anew by its next beat."""

    async def body() -> None:
        async with bots.peers("one") as (one,):
            api.delete(f"onepoller-session-{one.id}")
            with pytest.raises(SessionOver):
                await one.store.beat(one.session)

    asyncio.run(body())
    assert api.leases() == {}


def test_the_end_of_a_session_is_heard_by_itself(api: FakeKubernetes, bots: Namespace) -> None:
    """Its look before delivery is false before its next beat."""

    async def body() -> bool:
        async with bots.peers("one") as (one,):
            mine = await one.take()
            assert mine is not None
            async with watch(one) as changes:
                await anext(changes)
                api.delete(f"onepoller-session-{one.id}")
                await until_named(changes, one)
            return one.session.has_claim(BOT, mine.term)

    assert not asyncio.run(body())


def test_terms_do_not_go_back_where_a_bots_lease_was_deleted(api: FakeKubernetes, bots: Namespace) -> None:
    """It begins anew at its creation time by the server's clock, which is later."""

    async def body() -> tuple[Claim | None, Claim | None]:
        async with bots.peers("one") as (one,):
            before = await one.take()
            await asyncio.sleep(1.01)  # creation times are whole seconds
            api.delete(f"onepoller-bot-{BOT}")
            return before, await one.take()

    before, after = asyncio.run(body())
    assert before is not None
    assert after is not None
    assert (after.version, after.term > before.term) == (1, True)


def test_a_lease_that_somebody_made_is_free(api: FakeKubernetes, bots: Namespace) -> None:
    """What has our name and not our record is taken like a claim that was never written."""

    async def body() -> Claim | None:
        async with bots.peers("one") as (one,):
            await one.take()
            api.edit(f"onepoller-bot-{BOT}", lambda lease: lease["metadata"].pop("annotations"))
            assert (await one.claim()).version == 0
            return await one.take()

    assert asyncio.run(body()) is not None


# Wake-ups


def test_who_is_woken_hears_it_at_once_and_the_others_soon(api: FakeKubernetes, tmp_path: Path) -> None:
    """By the watch that stands: nothing is listed for it."""
    bots = Namespace(api, tmp_path, lease=20)

    async def body() -> tuple[float, int]:
        async with (
            bots.peers("writer", "woken", "other") as (writer, woken, other),
            watch(woken) as at_once,
            watch(other) as soon,
        ):
            cast("Any", woken.store)._slow_look = 3600.0
            for changes in (at_once, soon):
                await anext(changes)
                await anext(changes)  # what the list has brought
            await asyncio.sleep(1.2)  # a slow look without news is told to nobody
            lists = api.requests["list"]
            swap = Swap(claim=Claim(bot_id=BOT, heir=woken.id))
            await writer.store.swap(writer.session, Batch(swaps=[swap], wake=[woken.id]))
            await asyncio.wait_for(anext(at_once), PATIENCE)
            began = time.monotonic()
            await asyncio.wait_for(anext(soon), PATIENCE)
            return time.monotonic() - began, api.requests["list"] - lists

    seconds, lists = asyncio.run(body())
    assert (seconds < 2.5, lists) == (True, 0)


# Ends


def test_a_session_that_is_over_wishes_for_nothing(api: FakeKubernetes, bots: Namespace) -> None:
    """A thawed process leaves no trace."""

    async def body() -> None:
        async with bots.peers("dead", "heir") as (dead, heir):
            await dead.take()
            await silence(dead, seen_by=heir, lease=bots.lease)
            await heir.take(requires_over=dead)
            with pytest.raises(SessionOver):
                await dead.wish(Wish(bot_id=OTHER, session=dead.id))
            assert not [name for name in api.leases() if "-wishes-" in name]

    asyncio.run(body())


def test_a_beat_comes_before_an_end_or_after_it(bots: Namespace) -> None:
    """Of a beat and an end at the same time one is refused: never do both believe that they won."""

    async def body() -> None:
        for _ in range(10):
            async with bots.peers("holder", "heir") as (holder, heir):
                await holder.take()
                await silence(holder, seen_by=heir, lease=bots.lease)
                took, beat = await asyncio.gather(
                    heir.take(requires_over=holder),
                    holder.store.beat(holder.session, confirm=True),
                    return_exceptions=True,
                )
                assert isinstance(beat, SessionOver) == (took is not None)
                await heir.write(replace(await heir.claim(), holder=None))

    asyncio.run(body())


def test_a_proof_by_the_kernel_ends_a_session_at_once(bots: Namespace) -> None:
    """Whoever holds the lock of a dead process of its host needs not wait for its lease."""

    async def body() -> Claim | None:
        async with bots.peers("dead", "heir") as (dead, heir):
            await dead.take()
            await bots_end(heir, dead)
            with pytest.raises(SessionOver):
                await dead.store.beat(dead.session)
            return await heir.take(requires_over=dead)

    async def bots_end(heir: Peer, dead: Peer) -> None:
        await cast("Any", heir.store).end(heir.session, dead.id)

    assert asyncio.run(body()) is not None


def test_what_is_over_is_forgotten_when_nothing_names_it(api: FakeKubernetes, bots: Namespace) -> None:
    """The next process that starts deletes it."""

    async def body() -> None:
        async with bots.peers("dead", "heir") as (dead, heir):
            await dead.take()
            await dead.take(OTHER)
            await silence(dead, seen_by=heir, lease=bots.lease)
            await heir.take(requires_over=dead)
            async with bots.peers("third"):
                assert f"onepoller-session-{dead.id}" in api.leases()  # it is still named by the other bot
            await heir.take(OTHER, requires_over=dead)
            async with bots.peers("fourth"):
                assert f"onepoller-session-{dead.id}" not in api.leases()

    asyncio.run(body())


# Many bots


MANY = [BotId(7_000_000_000 + number * 7919) for number in range(10_000)]


REPORT = b"".join(
    row(bot_id, Role.POLLING, last_poll=1.8e9 + number * 0.0137, episodes=number % 3, conflicts=number % 7)
    for number, bot_id in enumerate(MANY)
)


def test_ten_thousand_wishes_and_their_report_fit(api: FakeKubernetes, bots: Namespace) -> None:
    """In one Lease each, 256 KiB is the limit; the Lease that beats stays small."""

    async def body() -> tuple[int, int, bytes, int]:
        async with bots.peers("one", "two") as (one, two):
            wishes = [Wish(bot_id=bot_id, session=one.id, priority=1) for bot_id in MANY]
            await one.store.swap(one.session, Batch(wishes=wishes))
            await one.store.beat(one.session, report=REPORT)
            seen = await two.store.read()
            places = {wish.since for standing in seen.wishes.values() for wish in standing}
            beating = len(json.dumps(api.leases()[f"onepoller-session-{one.id}"]))
            return len(seen.wishes), len(places), seen.sessions[one.id].report, beating

    wishes, places, report, beating = asyncio.run(body())
    assert (wishes, places, report == REPORT, beating < 2000) == (len(MANY), 1, True, True)


def test_requests_in_the_steady_state_do_not_depend_on_the_number_of_bots(
    api: FakeKubernetes, bots: Namespace
) -> None:
    """With the report of ten thousand bots: at most a tenth more."""

    async def requests(report: bytes) -> int:
        async with bots.peers("holder", "standby") as (holder, standby), watch(standby) as changes:
            await take_many(holder, MANY[: 1 if len(report) < 100 else 200])
            await anext(changes)
            await holder.store.beat(holder.session, report=report)
            before = api.requests.total()
            for _ in range(42):
                await asyncio.sleep(bots.lease / 3)
                await asyncio.gather(
                    holder.store.beat(holder.session, report=report), standby.store.beat(standby.session)
                )
            return api.requests.total() - before

    one, many = asyncio.run(requests(bytes(28))), asyncio.run(requests(REPORT))
    assert 84 <= one <= many <= 1.1 * one


def test_ten_standbys_hear_of_a_takeover_at_no_cost(api: FakeKubernetes, bots: Namespace) -> None:
    """What a hundred claims change is announced once; nobody is made to ask the server for it."""

    async def body() -> int:
        labels = [f"standby {number}" for number in range(10)]
        async with bots.peers("dead", *labels) as (dead, heir, *others):
            claims = await take_many(dead, MANY[:100])
            await heir.store.read(list(claims))
            watches = [watch(peer) for peer in (heir, *others)]
            heard = [asyncio.create_task(_hear(one, dead)) for one in watches]
            before = api.requests.copy()
            while not all(task.done() for task in heard):
                await asyncio.sleep(bots.lease / 4)
                await asyncio.gather(*(peer.store.beat(peer.session) for peer in (heir, *others)))
            assert [task.exception() for task in heard] == [None] * 10
            assert len(await take_over_many(heir, dead, claims)) == 100
            asked = api.requests - before
            return asked["get"] + asked["list"] + asked["create"] + asked["delete"]

    async def _hear(one: aclosing[AsyncGenerator[Change, None]], dead: Peer) -> None:
        async with one as changes:
            await until_named(changes, dead)

    # Each of the ten lists once to begin its watch; the heir looks at a claim, and at the dead one's session.
    assert asyncio.run(body()) <= 2 * 10 + 2


def test_a_swap_that_is_cut_short_tells_what_was_written(api: FakeKubernetes, bots: Namespace) -> None:
    """The server breaks within a batch: what is ours is told, the rest can be tried again."""

    async def body() -> tuple[int, int]:
        async with bots.peers("one") as (one,):
            swaps = [Swap(claim=Claim(bot_id=bot_id, holder=one.id)) for bot_id in MANY[:200]]
            api.be_broken("create", after=60)
            told = (await one.store.swap(one.session, Batch(swaps=swaps))).written
            there = [name for name in api.leases() if "-bot-" in name]
            return len(told), len(there)

    told, there = asyncio.run(body())
    assert 0 < told == there < 200


# Rights


@pytest.mark.parametrize("verb", ["get", "list", "watch", "create", "update", "delete"])
def test_each_granted_verb_is_needed(api: FakeKubernetes, bots: Namespace, verb: str) -> None:
    """Without it something is refused, in a sentence that names it and the manifest."""
    api.granted -= {verb}
    assert asyncio.run(_refused(bots)) == (
        f"kubernetes://bots: we may not {verb} leases in the namespace bots (403): grant it to our service"
        " account or user, as deploy/kubernetes/rbac.yaml does."
    )


async def _refused(bots: Namespace) -> str:
    """Do all that a process does; what was refused first."""
    store = bots.store()
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
