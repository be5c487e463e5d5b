"""Guarded python-telegram-bot over real sockets: two applications, two processes, and how each ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from telegram.error import BadRequest
from telegram.ext import Application, ApplicationBuilder
from telegram.request import HTTPXRequest

from onepoller import OnePoller
from onepoller.adapters.ptb import guard
from onepoller.coordination.events import Event, Stalled, TokenRefused, WebhookCallGuarded
from onepoller.coordination.stores.memory import MemoryStore
from onepoller.testing import FakeBotApi, Row
from onepoller.testing.botapi import Control, conflicts, delivered, duplicates, spawn
from tests.e2e.bots.at_server import AT_ONCE

BOT = 7000000001
LEASE = 1.0
AnyApplication = Application[Any, Any, Any, Any, Any, Any]
AnyBuilder = ApplicationBuilder[Any, Any, Any, Any, Any, Any]
EXAMPLE = Path(__file__).parents[2] / "examples" / "ptb_bot.py"

pytestmark = pytest.mark.slow


@pytest.fixture
def anyio_backend() -> str:
    """Run asynchronous tests on asyncio."""
    return "asyncio"


# Two applications in one process


@pytest.fixture
def make_poller() -> Iterator[Callable[..., OnePoller]]:
    """Give a function that makes instances which meet in one store in memory."""
    store = MemoryStore(lease=LEASE)
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(
            OnePoller(store=store, environment={}, lease=LEASE, **settings)
        )


def builder_of(fake: FakeBotApi, name: str, token: str) -> AnyBuilder:
    """Give a builder whose requests carry a name."""
    return ApplicationBuilder().token(token).base_url(f"{fake.url}/_as/{name}/bot")


@asynccontextmanager
async def running(application: AnyApplication, **options: Any) -> AsyncIterator[AnyApplication]:
    """Start and stop an application by hand, as those do who have a loop of their own."""
    assert application.updater is not None
    async with application:
        await application.start()
        await application.updater.start_polling(**options)
        try:
            yield application
        finally:
            if application.updater.running:
                await application.updater.stop()
            await application.stop()


def is_delivery(name: str) -> Callable[[Row], bool]:
    """Say whether a poll of this name brought updates."""
    return lambda row: row.poller == name and bool(row.update_ids)


def is_parked(name: str) -> Callable[[Row], bool]:
    """Say whether a poll of this name waits at the server."""
    return lambda row: row.poller == name and row.parked_at is not None and row.is_open


@pytest.mark.anyio
async def test_one_of_two_polls_and_the_other_follows(
    make_poller: Callable[..., OnePoller], canary: str
) -> None:
    """The second sends no getUpdates until the first has stopped; no 409, nothing twice, nothing lost."""
    async with FakeBotApi() as fake:
        one = guard(builder_of(fake, "one", canary), make_poller()).build()
        two = guard(builder_of(fake, "two", canary), make_poller()).build()
        async with running(one):
            await fake.wait_for(is_parked("one"))
            async with running(two):
                made = fake.push(BOT, 2)
                await fake.wait_for(is_delivery("one"))
                await fake.wait_for(is_parked("one"), count=1, after=fake.rows(BOT)[-1].seq - 1)
                assert [row for row in fake.rows(BOT) if row.is_poll and row.poller == "two"] == []
                assert one.updater is not None
                await one.updater.stop()
                made += fake.push(BOT, 2)
                await fake.wait_for(is_delivery("two"))
        rows = fake.rows(BOT)

    seen = [update for ids in delivered(rows).values() for update in ids]
    assert (sorted(set(seen)), conflicts(rows)) == ([push.update_id for push in made], [])
    assert {row.method for row in rows} == {"getme", "getwebhookinfo", "getupdates"}


@pytest.mark.anyio
async def test_two_applications_of_one_instance_take_turns(
    make_poller: Callable[..., OnePoller], canary: str
) -> None:
    """With one token in one process the second waits for the first: overlaps stay at home."""
    async with FakeBotApi() as fake:
        poller = make_poller()
        one = guard(builder_of(fake, "one", canary), poller).build()
        two = guard(builder_of(fake, "two", canary), poller).build()
        async with running(one, timeout=1), running(two, timeout=1):
            await fake.wait_for(lambda row: row.is_poll and not row.is_open, count=3)
        rows = [row for row in fake.rows(BOT) if row.is_poll]

    assert conflicts(rows) == []
    assert all(row.beside == () for row in rows)


def _pools(builder: AnyBuilder) -> AnyBuilder:
    return builder.get_updates_connection_pool_size(1).get_updates_http_version("1.1")


def _timeouts(builder: AnyBuilder) -> AnyBuilder:
    return builder.get_updates_read_timeout(9).get_updates_pool_timeout(2).read_timeout(9)


def _own_requests(builder: AnyBuilder) -> AnyBuilder:
    return builder.request(HTTPXRequest()).get_updates_request(HTTPXRequest(connection_pool_size=2))


@pytest.mark.parametrize("options", [_pools, _timeouts, _own_requests])
@pytest.mark.anyio
async def test_a_builder_with_options_of_its_own_polls(
    options: Callable[[AnyBuilder], AnyBuilder], make_poller: Callable[..., OnePoller], canary: str
) -> None:
    """Pools, timeouts and request objects of the user's own work together with the guard."""
    async with FakeBotApi() as fake:
        application = options(guard(builder_of(fake, "one", canary), make_poller())).build()
        async with running(application):
            (made,) = fake.push(BOT, 1)
            row = await fake.wait_for(is_delivery("one"))

    assert row.update_ids == (made.update_id,)


@pytest.mark.anyio
async def test_a_revoked_token_is_told_and_the_dead_loop_as_well(
    make_poller: Callable[..., OnePoller], canary: str
) -> None:
    """python-telegram-bot's polling task ends without a word to anybody; the stall rule notices."""
    events: list[Event] = []
    loop, stalled = asyncio.get_running_loop(), asyncio.Event()

    def listen(event: Event) -> None:
        events.append(event)
        if isinstance(event, Stalled):
            loop.call_soon_threadsafe(stalled.set)

    async with FakeBotApi() as fake:
        poller = make_poller(listeners=[listen], error_limit=1.0)
        application = guard(builder_of(fake, "one", canary), poller).build()
        async with running(application):
            await fake.wait_for(is_parked("one"))
            fake.revoke(BOT)
            fake.push(BOT, 1)
            async with asyncio.timeout(10):
                await stalled.wait()
            assert application.updater is not None
            assert application.updater.running
            with pytest.raises(Exception, match="Unauthorized"):
                await application.updater.stop()

    kinds = [type(event) for event in events if isinstance(event, TokenRefused | Stalled)]
    assert kinds == [TokenRefused, Stalled]


@pytest.mark.anyio
async def test_productions_webhook_is_left_alone(make_poller: Callable[..., OnePoller], canary: str) -> None:
    """Polling does not start; neither deleteWebhook nor getUpdates is sent, and the error names the host."""
    async with FakeBotApi() as fake:
        fake.set_webhook(BOT, "https://bot.example.org/s3cret")
        before = fake.rows(BOT)[-1].seq
        application = guard(builder_of(fake, "one", canary), make_poller()).build()
        async with application:
            assert application.updater is not None
            with pytest.raises(BadRequest, match=r"bot\.example\.org.*on_webhook='delete'"):
                await application.updater.start_polling(bootstrap_retries=0)
        methods = [row.method for row in fake.rows(BOT) if row.seq > before]

    assert methods == ["getme", "getwebhookinfo"]


@pytest.mark.anyio
async def test_dropping_updates_beside_a_peer_is_answered_not_sent(
    make_poller: Callable[..., OnePoller], canary: str
) -> None:
    """A second instance starts with drop_pending_updates: the peer keeps its updates."""
    events: list[Event] = []
    async with FakeBotApi() as fake:
        one = guard(builder_of(fake, "one", canary), make_poller()).build()
        two = guard(builder_of(fake, "two", canary), make_poller(listeners=[events.append])).build()
        async with running(one):
            await fake.wait_for(is_parked("one"))
            async with running(two, drop_pending_updates=True):
                (made,) = fake.push(BOT, 1)
                row = await fake.wait_for(is_delivery("one"))
        methods = {row.method for row in fake.rows(BOT)}

    assert (row.update_ids, "deletewebhook" in methods) == ((made.update_id,), False)
    assert [event.answer for event in events if isinstance(event, WebhookCallGuarded)] == ["drop_skipped"]


# Two processes


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Give the directory in which the processes of a test meet."""
    (tmp_path / "state").mkdir(mode=0o700)
    return tmp_path / "state"


@contextmanager
def echo_bot(control: Control, name: str, token: str, state: Path) -> Iterator[subprocess.Popen[str]]:
    """Run the example in a process of its own; its requests carry its name."""
    environment = os.environ | {
        "BOT_TOKEN": token,
        "TELEGRAM_API_ROOT": f"{control.url}/_as/{name}",
        "ONEPOLLER_STATE_DIR": str(state),
        "ONEPOLLER_LABEL": name,
    }
    process = subprocess.Popen([sys.executable, EXAMPLE], stderr=subprocess.PIPE, text=True, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for_line(process: subprocess.Popen[str], text: str) -> None:
    """Read the bot's log up to a line."""
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return
    raise AssertionError(f"the bot ended without saying {text!r}")


TwoBots = tuple[Control, subprocess.Popen[str], subprocess.Popen[str]]


@pytest.fixture
def two_bots(canary: str, state: Path) -> Iterator[TwoBots]:
    """Give a fake, a bot that polls and one that stands by."""
    with spawn() as control, echo_bot(control, "one", canary, state) as one:
        control.wait_for(is_parked("one"))
        with echo_bot(control, "two", canary, state) as two:
            wait_for_line(two, "standing by")
            yield control, one, two


def test_a_killed_holder_is_followed(two_bots: TwoBots) -> None:
    """After kill -9 the standby answers the next message within two seconds, and no conflict was seen."""
    control, one, _ = two_bots
    control.push(BOT, 1)
    control.wait_for(
        lambda row: row.text == "text 1" or (row.method == "sendmessage" and row.poller == "one")
    )
    one.kill()
    killed = control.now()
    control.push(BOT, 1)

    row = control.wait_for(lambda row: row.method == "sendmessage" and row.poller == "two")

    assert row.arrived_at - killed < 2.0
    assert conflicts(control.rows(BOT)) == []


def test_sigterm_in_standby_ends_at_once(two_bots: TwoBots) -> None:
    """Half a second where nothing else runs; and without a call to Telegram."""
    control, _, two = two_bots
    started = time.monotonic()
    two.send_signal(signal.SIGTERM)
    code = two.wait(timeout=10)

    assert (code, time.monotonic() - started < AT_ONCE) == (0, True)
    assert [row for row in control.rows(BOT) if row.poller == "two" and row.is_poll] == []


def test_sigterm_in_the_middle_of_a_poll_hands_over_at_once(two_bots: TwoBots) -> None:
    """The standby polls before the stopped process has ended its clean-up, with no 409 for anybody alive."""
    control, one, _ = two_bots
    stopped = control.now()
    one.send_signal(signal.SIGTERM)

    row = control.wait_for(lambda row: row.poller == "two" and row.is_poll)

    assert row.arrived_at - stopped < AT_ONCE
    assert one.wait(timeout=10) == 0
    rows = control.rows(BOT)
    assert (conflicts(rows), duplicates(rows)) == ([], {})
