"""What every adapter keeps: the same cells for each, over real sockets, the framework as users run it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from math import inf
from typing import Any

import pytest

from onepoller import OnePoller
from onepoller.coordination.events import Dropped, RoleChanged, UpdatesDropped, WebhookCallGuarded
from onepoller.coordination.identity import BotId
from onepoller.coordination.offsets import ARRIVED
from onepoller.coordination.stores.memory import MemorySession
from onepoller.testing import FakeBotApi, Row
from onepoller.testing.botapi import conflicts, duplicates, overlaps
from tests.contract.driver import Driver, Running, Told

BOT = 7000000201
KEPT = 0.9
"""Less than a claim is kept after a cancel that is no goodbye, seconds."""
WEBHOOK = "https://bot.example.org/s3cret"
CONFLICT = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
FAULTS: dict[str, dict[str, Any]] = {
    "unauthorized_401": {"kind": "unauthorized_401"},
    "not_found_404": {"kind": "not_found_404"},
    "logged_out_400": {"kind": "logged_out_400"},
    "misdirected_421": {"status": 421, "description": "Misdirected Request: unallowed token specified"},
    "flood_429": {"kind": "flood_429", "retry_after": 1},
    "flood_429, bare": {"status": 429, "description": "Too Many Requests"},
    "restart_500": {"kind": "restart_500"},
    "html_502": {"kind": "html_502"},
    "json_502": {"kind": "json_502"},
    "html_504": {"status": 504, "body": "<html><h1>504 Gateway Time-out</h1></html>"},
    "html_200": {"status": 200, "body": "<html><h1>Welcome to this hotel's network</h1></html>"},
    "empty_200": {"kind": "empty_200"},
    "broken_json_200": {"kind": "broken_json_200"},
    "no_result_200": {"kind": "no_result_200"},
    "short": {"kind": "short"},
    "close": {"kind": "close"},
    "reset": {"kind": "reset"},
    "hang": {"kind": "hang"},
}

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
MakePoller = Callable[..., OnePoller]


@asynccontextmanager
async def running(
    driver: Driver,
    fake: FakeBotApi,
    poller: OnePoller | None,
    *,
    name: str = "one",
    bot_id: int = BOT,
    drop: bool = False,
) -> AsyncIterator[Running]:
    """Run a bot whose requests carry this name."""
    token = f"{bot_id}:test-test-test-test-test-test-test-"
    bot = await driver.start(url=f"{fake.url}/_as/{name}", token=token, poller=poller, drop=drop)
    try:
        yield bot
    finally:
        await bot.stop()


def parked(name: str) -> Callable[[Row], bool]:
    """Say whether a poll of this name waits at the server."""
    return lambda row: row.poller == name and row.parked_at is not None and row.is_open


def methods(fake: FakeBotApi, name: str = "one") -> set[str]:
    """Give the methods that this name has called."""
    return {row.method for row in fake.rows() if row.poller == name}


def push(fake: FakeBotApi, count: int, bot_id: int = BOT) -> list[int]:
    """Push messages; give their ids."""
    return [made.update_id for made in fake.push(bot_id, count) if made.update_id is not None]


# Who polls


async def test_it_claims_and_delivers(driver: Driver, fake: FakeBotApi, make_poller: MakePoller) -> None:
    """Alone it polls at once; each message is handled once, in order, and nothing is said."""
    told = Told()
    async with running(driver, fake, make_poller(listeners=[told])) as bot:
        made = push(fake, 3)
        await bot.notes.wait(lambda notes: len(notes.handled) == 3)
        await fake.wait_for(parked("one"))
        made += push(fake, 1)
        await bot.notes.wait(lambda notes: len(notes.handled) == 4)

    assert (bot.notes.handled, bot.notes.heard) == (made, [])
    assert told.roles[:1] == ["polling"]


async def test_standby_brings_nothing_and_no_conflict(
    driver: Driver, fake: FakeBotApi, make_poller: MakePoller
) -> None:
    """The second sends no getUpdates and handles nothing while the first goes on; no error is heard."""
    told = Told()
    async with running(driver, fake, make_poller(label="one")) as one:
        await fake.wait_for(parked("one"))
        async with running(driver, fake, make_poller(label="two", listeners=[told]), name="two") as two:
            await told.wait(lambda told: told.roles == ["standby"])
            made = push(fake, 2)
            await one.notes.wait(lambda notes: len(notes.handled) == 2)
            await fake.wait_for(lambda row: row.how == "empty")

    assert (one.notes.handled, two.notes.handled, two.notes.heard) == (made, [], [])
    assert "getupdates" not in methods(fake, "two")
    assert conflicts(fake.rows()) == []


async def test_a_goodbye_releases_at_once(driver: Driver, fake: FakeBotApi, make_poller: MakePoller) -> None:
    """The standby polls when the last poll has ended; nothing is lost, handled twice, or answered 409."""
    told = Told()
    async with AsyncExitStack() as stays, AsyncExitStack() as goes:
        one = await goes.enter_async_context(running(driver, fake, make_poller(label="one")))
        made = push(fake, 1)
        await one.notes.wait(lambda notes: len(notes.handled) == 1)
        await fake.wait_for(parked("one"))
        standby = make_poller(label="two", listeners=[told])
        two = await stays.enter_async_context(running(driver, fake, standby, name="two"))
        await told.wait(lambda told: told.roles == ["standby"])
        await goes.aclose()
        first = await fake.wait_for(lambda row: row.poller == "two" and row.is_poll)
        made += push(fake, 1)
        await two.notes.wait(lambda notes: len(notes.handled) == 1)
        rows = fake.rows()

    last = max(row.closed_at or row.ended_at or 0.0 for row in rows if row.is_poll and row.poller == "one")
    assert first.arrived_at - last < KEPT
    assert one.notes.handled + two.notes.handled == made
    assert (conflicts(rows), overlaps(rows), duplicates(rows)) == ([], [], {})


async def test_a_confirm_of_what_telegram_knows_is_not_awaited_for_its_three_seconds(
    driver: Driver, fake: FakeBotApi, make_poller: MakePoller
) -> None:
    """A stop right after a batch: the poll that it cancels has brought the offset, the confirm is held."""
    async with running(driver, fake, make_poller()) as bot:
        await fake.wait_for(parked("one"))
        made = push(fake, 1)
        await bot.notes.wait(lambda notes: notes.handled == made)
        await fake.wait_for(lambda row: parked("one")(row) and (row.offset or 0) > made[0])
    confirms = [row for row in fake.rows() if row.is_poll and row.limit == 1]

    assert [row.offset for row in confirms] in ([], [made[0] + 1])
    assert all((row.closed_at or row.ended_at or inf) - row.arrived_at < ARRIVED + 0.4 for row in confirms)


async def test_a_batch_is_dropped_when_the_claim_is_gone(
    driver: Driver, fake: FakeBotApi, make_poller: MakePoller
) -> None:
    """It came after the session had ended: the framework never sees it, Telegram keeps it."""
    told = Told()
    poller = make_poller(listeners=[told])
    async with running(driver, fake, poller) as bot:
        await fake.wait_for(parked("one"))
        grant = poller.guard(BotId(BOT)).grant
        assert grant is not None
        assert isinstance(grant.session, MemorySession)
        grant.session.is_killed = True  # nobody is told: the look before delivery has to find it
        made = push(fake, 2)
        await bot.notes.wait(lambda notes: len(notes.handled) == 2)

    brought = [row.update_ids for row in fake.rows() if row.update_ids]
    losses = told.of(UpdatesDropped)
    assert (bot.notes.handled, bot.notes.heard) == (made, [])
    assert {loss.reason for loss in losses} == {Dropped.STALE_OWNER}
    assert (brought[0], sum(loss.count for loss in losses)) == (tuple(made), sum(map(len, brought)) - 2)


async def test_a_rivals_conflict_is_not_heard(
    driver: Driver, fake: FakeBotApi, make_poller: MakePoller
) -> None:
    """A 409 on a poll of the holder is dealt with below the framework; the next message comes."""
    async with running(driver, fake, make_poller()) as bot:
        await fake.wait_for(parked("one"))
        fake.fault(BOT, status=409, description=CONFLICT, times=2)
        made = push(fake, 1)
        await fake.wait_for(lambda row: row.how == "fault", count=2)
        made += push(fake, 1)
        await bot.notes.wait(lambda notes: len(notes.handled) == 2)

    assert (bot.notes.handled, bot.notes.heard) == (made, [])


# The calls of a start


def told_of_webhooks(told: Told) -> list[tuple[str, str]]:
    """Give what was told of the calls of a start."""
    return [(event.answer, event.detail) for event in told.of(WebhookCallGuarded)]


async def test_no_webhook_is_deleted_where_there_is_none(
    driver: Driver, fake: FakeBotApi, make_poller: MakePoller
) -> None:
    """The framework's call is answered here; the read-only question is all that is sent."""
    told = Told()
    async with running(driver, fake, make_poller(listeners=[told])):
        await fake.wait_for(parked("one"))
    await told.wait(lambda told: bool(told.of(WebhookCallGuarded)))

    assert methods(fake) - {"getme"} == {"getwebhookinfo", "getupdates"}
    assert told_of_webhooks(told) == [("already_deleted", "")]


async def test_somebody_elses_webhook_is_left_alone(
    driver: Driver, fake: FakeBotApi, make_poller: MakePoller
) -> None:
    """The start fails as the framework's starts fail; its error names the host and the switch."""
    fake.set_webhook(BOT, WEBHOOK)
    with pytest.raises(Exception, match=r"refused.*bot\.example\.org.*on_webhook='delete'"):
        await driver.start(
            url=f"{fake.url}/_as/one",
            token=f"{BOT}:test-test-test-test-test-test-test-",
            poller=make_poller(),
        )

    assert methods(fake) - {"getme"} == {"getwebhookinfo"}


async def test_a_webhook_that_may_go_is_deleted_and_told(
    driver: Driver, fake: FakeBotApi, make_poller: MakePoller
) -> None:
    """By its host; then the bot polls."""
    told = Told()
    fake.set_webhook(BOT, WEBHOOK)
    async with running(driver, fake, make_poller(listeners=[told], on_webhook="delete")):
        await fake.wait_for(parked("one"))

    assert told_of_webhooks(told)[0] == ("deleted", "bot.example.org")


async def test_updates_are_dropped_where_nobody_else_lives(
    driver: Driver, fake: FakeBotApi, make_poller: MakePoller
) -> None:
    """Who starts alone and asks for it gets only what comes afterwards."""
    push(fake, 2)
    async with running(driver, fake, make_poller(), drop=True) as bot:
        await fake.wait_for(parked("one"))
        made = push(fake, 1)
        await bot.notes.wait(lambda notes: bool(notes.handled))

    assert bot.notes.handled == made


async def test_updates_are_not_dropped_beside_a_peer(
    driver: Driver, fake: FakeBotApi, make_poller: MakePoller
) -> None:
    """The second start is told that it is done, and nothing is sent."""
    told = Told()
    async with running(driver, fake, make_poller(label="one")):
        await fake.wait_for(parked("one"))
        two = make_poller(label="two", listeners=[told])
        async with running(driver, fake, two, name="two", drop=True):
            await told.wait(lambda told: bool(told.of(WebhookCallGuarded)))

    assert "deletewebhook" not in methods(fake, "two")
    assert told_of_webhooks(told) == [("drop_skipped", "")]


# Faults: each for two bots of one kind, one guarded and one as it comes, all at once


async def meet(bot: Running, fake: FakeBotApi, bot_id: int, fault: str, *, dies: bool) -> list[str]:
    """Have the next poll of a bot answered with a fault, and go on; give what was heard."""
    await fake.wait_for(lambda row: row.bot_id == bot_id and row.parked_at is not None)
    fake.fault(bot_id, **FAULTS[fault])
    push(fake, 1, bot_id)
    await bot.notes.wait(lambda notes: len(notes.handled) == 1)
    if dies:
        await bot.notes.wait(lambda notes: bool(notes.heard))
    else:
        push(fake, 1, bot_id)
        await bot.notes.wait(lambda notes: len(notes.handled) == 2)
    return list(bot.notes.heard)


def roles(told: Told) -> dict[int, list[str]]:
    """Give what each bot has been, in its order."""
    found: dict[int, list[str]] = {}
    for changed in told.of(RoleChanged):
        found.setdefault(changed.bot_id, []).append(changed.role.label)
    return found


async def test_faults_are_seen_as_without_us_and_the_claims_survive(
    driver: Driver, fake: FakeBotApi, make_poller: MakePoller
) -> None:
    """The framework says the same, goes on or ends the same; who goes on polls by the claim it had."""
    told = Told()
    poller = make_poller(listeners=[told])
    ends = asyncio.Barrier(2 * len(FAULTS))
    bot_of = {fault: BOT + 2 * n + 1 for n, fault in enumerate(FAULTS)}
    seen: dict[int, list[str]] = {}

    async def run(bot_id: int, fault: str, poller: OnePoller | None) -> list[str]:
        async with running(driver, fake, poller, bot_id=bot_id) as bot:
            heard = await meet(bot, fake, bot_id, fault, dies=fault in driver.dies_of)
            await ends.wait()
            seen.update(roles(told))
            await ends.wait()
        return heard

    as_they_come = [run(bot_of[fault] - 1, fault, None) for fault in FAULTS]
    guarded = [run(bot_of[fault], fault, poller) for fault in FAULTS]
    heard = await asyncio.gather(*as_they_come, *guarded)

    half = len(FAULTS)
    expected = dict(zip(FAULTS, heard[:half], strict=True)) | dict(driver.instead)
    assert dict(zip(FAULTS, heard[half:], strict=True)) == expected
    living = bot_of.keys() - driver.dies_of
    assert {fault: seen[bot_of[fault]] for fault in living} == {fault: ["polling"] for fault in living}
