"""pyTelegramBotAPI, guarded: what is sent, what is answered here, and what stays as it was."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import SimpleNamespace
from typing import Any

import pytest
from telebot import TeleBot, apihelper, asyncio_helper
from telebot.async_telebot import AsyncTeleBot
from telebot.types import Update, WebhookInfo

from onepoller import OnePoller, SettingsError, SetupError, process
from onepoller.adapters.telebot import guard
from onepoller.adapters.telebot.calls import Calls
from onepoller.coordination.events import Event, RoleChanged, TokenRefused, WebhookCallGuarded
from onepoller.coordination.identity import BotId
from onepoller.coordination.report import Role

BOT = 7000000001
HOOK = "https://bot.example.org/hook/s3cret"
AtWork = Callable[[], AbstractAsyncContextManager[None]]

pytestmark = pytest.mark.anyio


class Script:
    """What the methods of a bot answer, and what they were called with."""

    def __init__(self, *updates: Any, hook: str = "") -> None:
        self.updates = list(updates)
        self.hook = hook
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def answer(self, method: str, given: dict[str, Any]) -> Any:
        self.calls.append((method, given))
        if method == "get_webhook_info":
            return WebhookInfo(self.hook, has_custom_certificate=False, pending_update_count=0)  # type: ignore[no-untyped-call]  # telebot's own
        if method != "get_updates":
            return True
        answer = self.updates.pop(0) if self.updates else []
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def methods(self) -> list[str]:
        return [method for method, _ in self.calls]


class Sync(TeleBot):
    """A TeleBot of the user's own, which asks nobody."""

    def __init__(self, token: str, script: Script) -> None:
        super().__init__(token, threaded=False)
        self.script = script

    def get_updates(self, *, long_polling_timeout: int = 20, **given: Any) -> Any:  # type: ignore[override]  # a script takes what it is given
        return self.script.answer("get_updates", given | {"long_polling_timeout": long_polling_timeout})

    def get_webhook_info(self, **_: Any) -> Any:  # type: ignore[override]  # a script takes what it is given
        return self.script.answer("get_webhook_info", {})

    def set_webhook(self, url: str | None = None, **given: Any) -> Any:  # type: ignore[override]  # a script takes what it is given
        return self.script.answer("set_webhook", given | {"url": url})

    def delete_webhook(self, drop_pending_updates: bool | None = None, **_: Any) -> Any:  # type: ignore[override]  # a script takes what it is given
        return self.script.answer("delete_webhook", {"drop_pending_updates": drop_pending_updates})


class Async(AsyncTeleBot):
    """The same in an event loop."""

    def __init__(self, token: str, script: Script) -> None:
        super().__init__(token)
        self.script = script

    async def get_updates(self, *, timeout: int = 20, **given: Any) -> Any:  # type: ignore[override]  # a script takes what it is given
        return self.script.answer("get_updates", given | {"timeout": timeout})

    async def get_webhook_info(self, **_: Any) -> Any:  # type: ignore[override]  # a script takes what it is given
        return self.script.answer("get_webhook_info", {})

    async def set_webhook(self, url: str | None = None, **given: Any) -> Any:  # type: ignore[override]  # a script takes what it is given
        return self.script.answer("set_webhook", given | {"url": url})

    async def delete_webhook(self, drop_pending_updates: bool | None = None, **_: Any) -> Any:  # type: ignore[override]  # a script takes what it is given
        return self.script.answer("delete_webhook", {"drop_pending_updates": drop_pending_updates})

    async def close_session(self) -> None:  # type: ignore[override]  # telebot's is static
        self.script.answer("close_session", {})


@pytest.fixture(params=[Sync, Async])
def kind(request: pytest.FixtureRequest) -> Any:
    """Give a kind of bot."""
    return request.param


async def call(bot: Any, method: str, *args: Any, **kwargs: Any) -> Any:
    """Call a method of either kind."""
    if isinstance(bot, AsyncTeleBot):
        return await getattr(bot, method)(*args, **kwargs)
    return await asyncio.to_thread(getattr(bot, method), *args, **kwargs)


def timeout_of(bot: Any) -> str:
    """Give the name of the argument that is the timeout at the server."""
    return "timeout" if isinstance(bot, AsyncTeleBot) else "long_polling_timeout"


def update(number: int) -> Update:
    """Make an update."""
    found: Update = Update.de_json({"update_id": number})  # type: ignore[no-untyped-call]  # telebot's own
    return found


def refusal(bot: Any, code: int, **fields: Any) -> Any:
    """Make what telebot raises where Telegram refuses."""
    api = asyncio_helper if isinstance(bot, AsyncTeleBot) else apihelper
    body = {"ok": False, "error_code": code, "description": "because"} | fields
    return api.ApiTelegramException("getUpdates", SimpleNamespace(status_code=code), body)


def told(events: list[Event]) -> list[tuple[str, str]]:
    """Give what was told of start-up calls."""
    return [(event.answer, event.detail) for event in events if isinstance(event, WebhookCallGuarded)]


# guard


async def test_guard_gives_the_bot_back_and_twice_is_once(kind: Any, poller: OnePoller, canary: str) -> None:
    """The second time changes nothing."""
    bot = kind(canary, Script())

    assert guard(bot, poller) is bot
    method = bot.get_updates
    assert guard(bot, poller).get_updates is method


async def test_a_telebot_that_has_changed_is_told_in_one_sentence(
    kind: Any, poller: OnePoller, canary: str
) -> None:
    """Nothing is guarded by halves."""
    bot = kind(canary, Script())
    bot.delete_webhook = None

    with pytest.raises(
        SetupError, match=r"^pyTelegramBotAPI [\d.]+ has no \w+\.delete_webhook: use a version that"
    ):
        guard(bot, poller)

    assert "get_updates" not in vars(bot)


async def test_wrong_settings_are_told_by_guard(monkeypatch: pytest.MonkeyPatch, canary: str) -> None:
    """Not by the first poll, which stands in a retry loop."""
    monkeypatch.setattr(process, "_default", None)
    monkeypatch.setenv("ONEPOLLER_ON_WEBHOOK", "ask")

    with pytest.raises(SettingsError, match="on_webhook"):
        guard(Sync(canary, Script()))


# getUpdates


async def test_a_call_that_nobody_changed_goes_out_as_it_is(
    kind: Any, poller: OnePoller, canary: str
) -> None:
    """The user's own arguments, and his own list of updates."""
    updates = [update(5)]
    bot = guard(kind(canary, Script(updates)), poller)
    given = {"offset": 1, "allowed_updates": ["message"], timeout_of(bot): 10}

    assert await call(bot, "get_updates", **given) is updates
    assert bot.script.calls == [("get_updates", given)]


async def test_arguments_may_be_given_by_place(poller: OnePoller, canary: str) -> None:
    """As `get_updates` of telebot allows; nothing is sent beside what was given."""
    sent: list[dict[str, Any]] = []

    class Placed(TeleBot):
        def get_updates(self, offset: Any = None, limit: Any = None, timeout: Any = 20, **more: Any) -> Any:  # type: ignore[override]  # a script takes what it is given
            sent.append({"offset": offset, "limit": limit, "timeout": timeout} | more)
            return []

    bot = guard(Placed(canary), poller)
    await call(bot, "get_updates")  # it waits for the claim: the next one has its whole timeout
    await call(bot, "get_updates", 3, 50)

    assert sent[1:] == [{"offset": 3, "limit": 50, "timeout": 20}]


async def test_what_the_guard_changes_replaces_the_argument(
    kind: Any, poller: OnePoller, canary: str, handed_over: Callable[[str], None]
) -> None:
    """An offset behind the former holder's is raised; the rest of the call stays."""
    bot = guard(kind(canary, Script()), poller)
    await call(bot, "get_updates", **{timeout_of(bot): 10})
    handed_over("https://api.telegram.org")

    await call(bot, "get_updates", offset=3, allowed_updates=[], **{timeout_of(bot): 10})

    assert bot.script.calls[-1] == (
        "get_updates",
        {"offset": 9, "allowed_updates": [], timeout_of(bot): 10},
    )


@pytest.mark.parametrize(
    ("url", "root"),
    [
        (None, "https://api.telegram.org"),
        ("http://127.0.0.1:8081/bot{0}/{1}", "http://127.0.0.1:8081"),
        ("https://proxy.example.org/?token={0}&method={1}", "proxy.example.org"),
    ],
)
async def test_the_api_root_is_that_of_telebots_module(
    url: str | None, root: str, poller: OnePoller, canary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its shape, and without the token."""
    monkeypatch.setattr(apihelper, "API_URL", url)
    await call(guard(Sync(canary, Script()), poller), "get_updates")

    assert [guarded.api_root for guarded in poller.instance.guards.values()] == [root]


@pytest.mark.slow
async def test_standby_sends_nothing_and_takes_its_time(
    kind: Any, poller: OnePoller, canary: str, peer_at_work: AtWork
) -> None:
    """While a peer polls, a call lasts its whole timeout and brings an empty list."""
    bot = guard(kind(canary, Script()), poller)
    loop = asyncio.get_running_loop()
    async with peer_at_work():
        started = loop.time()
        updates = await call(bot, "get_updates", **{timeout_of(bot): 1})

    assert (updates, bot.script.calls) == ([], [])
    assert loop.time() - started == pytest.approx(1.0, abs=0.3)


@pytest.mark.parametrize("code", [401, 429, 500])
async def test_a_refusal_is_handed_on_as_it_came(
    code: int, kind: Any, poller: OnePoller, canary: str, events: list[Event]
) -> None:
    """The very exception; a refused token is told."""
    bot = guard(kind(canary, Script()), poller)
    error = refusal(bot, code, parameters={"retry_after": 7})
    bot.script.updates.append(error)

    with pytest.raises(type(error)) as raised:
        await call(bot, "get_updates")

    assert raised.value is error
    assert any(isinstance(event, TokenRefused) for event in events) == (code == 401)


async def test_how_long_telegram_wants_to_be_left_alone_is_known(
    kind: Any, poller: OnePoller, canary: str
) -> None:
    """A bot that waits as long as it was told is not dead."""
    bot = guard(kind(canary, Script()), poller)
    error = refusal(bot, 429, parameters={"retry_after": 7})
    bot.script.updates.append(error)

    with pytest.raises(type(error)):
        await call(bot, "get_updates")

    presence, now = poller.guard(BotId(BOT)).presence, time.monotonic()
    limit = poller.settings.error_limit
    assert [presence.overstayed(now + limit + more) is not None for more in (6.0, 8.0)] == [False, True]


async def test_a_page_of_a_proxy_is_handed_on_as_it_came(kind: Any, poller: OnePoller, canary: str) -> None:
    """It is no answer of the Bot API, but one of a server."""
    bot = guard(kind(canary, Script()), poller)
    api = asyncio_helper if kind is Async else apihelper
    result = SimpleNamespace(reason="Bad Gateway", text="<html>", request_info="")
    setattr(result, "status" if kind is Async else "status_code", 502)
    error = api.ApiHTTPException("getUpdates", result)
    bot.script.updates.append(error)

    with pytest.raises(api.ApiHTTPException) as raised:
        await call(bot, "get_updates")

    assert raised.value is error


async def test_a_network_error_passes_unchanged(kind: Any, poller: OnePoller, canary: str) -> None:
    """What the HTTP client raises is what telebot sees."""
    error = ConnectionResetError("gone")
    bot = guard(kind(canary, Script(error)), poller)

    with pytest.raises(ConnectionResetError) as raised:
        await call(bot, "get_updates")

    assert raised.value is error


async def test_a_conflict_is_not_telebots_business(kind: Any, poller: OnePoller, canary: str) -> None:
    """The poll is sent again, and what it brings is handed on."""
    bot = guard(kind(canary, Script()), poller)
    text = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
    bot.script.updates += [refusal(bot, 409, description=text), [update(5)]]

    found = await call(bot, "get_updates")

    assert ([made.update_id for made in found], bot.script.methods) == ([5], ["get_updates"] * 2)


@pytest.mark.parametrize("threaded", [True, False])
async def test_only_threads_fetch_ahead(threaded: bool, poller: OnePoller, canary: str) -> None:
    """Without them a batch is handled before the next poll, however long that takes."""
    bot = Sync(canary, Script([update(5)]))
    bot.threaded = threaded
    await call(guard(bot, poller), "get_updates")

    presence = poller.guard(BotId(BOT)).presence
    later = time.monotonic() + poller.settings.stall_limit + 1
    assert (presence.overstayed(later) is not None) is threaded


# Stopping


async def test_stop_polling_releases_the_claim(poller: OnePoller, canary: str) -> None:
    """Where no call is open it is let go at once."""
    bot = guard(Sync(canary, Script()), poller)
    await call(bot, "get_updates")

    bot.stop_polling()  # type: ignore[no-untyped-call]  # telebot's own

    assert [row["role"] for row in poller.status()["bots"]] == ["stopped"]


async def test_what_comes_after_the_stop_is_left_at_telegram(poller: OnePoller, canary: str) -> None:
    """A poll that was open brings nothing, and the claim goes as it ends."""

    class Stopped(Sync):
        def get_updates(self, **_: Any) -> Any:  # type: ignore[override]  # a script takes what it is given
            self.stop_polling()  # type: ignore[no-untyped-call]  # telebot's own
            return [update(5)]

    bot = guard(Stopped(canary, Script()), poller)

    assert await call(bot, "get_updates") == []
    assert [row["role"] for row in poller.status()["bots"]] == ["stopped"]


@pytest.mark.slow
async def test_stop_polling_ends_a_wait_in_standby(
    poller: OnePoller, canary: str, peer_at_work: AtWork
) -> None:
    """Long before its timeout."""
    bot = guard(Sync(canary, Script()), poller)
    loop, standing_by = asyncio.get_running_loop(), asyncio.Event()

    def listen(event: Event) -> None:
        if isinstance(event, RoleChanged) and event.role is Role.STANDBY:
            loop.call_soon_threadsafe(standing_by.set)

    poller.listen(listen)
    async with peer_at_work():
        waiting = asyncio.create_task(call(bot, "get_updates", long_polling_timeout=50))
        await standing_by.wait()
        started = loop.time()
        bot.stop_polling()  # type: ignore[no-untyped-call]  # telebot's own
        updates = await waiting

    assert (updates, bot.script.calls) == ([], [])
    assert loop.time() - started < 0.5


async def test_the_end_of_an_async_bots_polling_releases_the_claim(poller: OnePoller, canary: str) -> None:
    """It closes its session then."""
    bot = guard(Async(canary, Script()), poller)
    await bot.get_updates()

    await bot.close_session()

    assert [row["role"] for row in poller.status()["bots"]] == ["stopped"]


async def test_a_stopped_bot_may_poll_again(poller: OnePoller, canary: str) -> None:
    """The claim comes back with the next call."""
    bot = guard(Sync(canary, Script()), poller)
    await call(bot, "get_updates")
    bot.stop_polling()  # type: ignore[no-untyped-call]  # telebot's own

    await call(bot, "get_updates")

    assert [row["role"] for row in poller.status()["bots"]] == ["polling"]


def test_the_latest_call_is_the_one_that_is_wanted() -> None:
    """A polling thread that was given up may still have one open."""
    calls = Calls()
    first, second = calls.begin(), calls.begin()

    assert (calls.is_wanted(first), calls.is_wanted(second)) == (False, True)


def test_the_last_call_to_end_after_a_stop_says_so() -> None:
    """The claim is released then, and not while another call is open."""
    calls = Calls()
    calls.begin()
    calls.begin()
    calls.stop()

    assert (calls.end(), calls.end()) == (False, True)


def test_a_new_call_forgets_the_stop() -> None:
    """Polling was started again."""
    calls = Calls()
    calls.begin()
    stop = calls.stop()
    assert stop is not None
    number = calls.begin()

    assert (calls.is_wanted(number), calls.wait_idle(stop, 0), calls.end()) == (True, True, False)


# Start-up calls


async def test_without_a_webhook_its_deletion_is_answered_here(
    kind: Any, poller: OnePoller, canary: str, events: list[Event]
) -> None:
    """Only the read-only question is sent; `remove_webhook()` is the same thing."""
    bot = guard(kind(canary, Script()), poller)

    assert [await call(bot, "delete_webhook"), await call(bot, "remove_webhook")] == [True, True]
    assert bot.script.methods == ["get_webhook_info"] * 2
    assert told(events) == [("already_deleted", "")] * 2


@pytest.mark.parametrize("method", ["delete_webhook", "remove_webhook"])
async def test_somebody_elses_webhook_is_not_deleted(
    method: str, kind: Any, poller: OnePoller, canary: str, events: list[Event]
) -> None:
    """Telebot's own exception names the host, not the path, and the switch."""
    bot = guard(kind(canary, Script(hook=HOOK)), poller)
    api = asyncio_helper if kind is Async else apihelper

    with pytest.raises(api.ApiTelegramException) as raised:
        await call(bot, method)

    assert (raised.value.error_code, raised.value.result.status_code) == (400, 400)
    assert json.loads(raised.value.result.text) == raised.value.result_json
    assert raised.value.description == (
        "onepoller: deleteWebhook was refused, because bot 7000000001 has a webhook at bot.example.org, "
        "which somebody else set; if it may go, set on_webhook='delete' (ONEPOLLER_ON_WEBHOOK=delete)"
    )
    assert (bot.script.methods, told(events)) == (["get_webhook_info"], [("refused", "bot.example.org")])


async def test_your_own_webhook_may_go(kind: Any, poller: OnePoller, canary: str) -> None:
    """What this bot has set, it may delete."""
    bot = guard(kind(canary, Script(hook=HOOK)), poller)
    await call(bot, "set_webhook", HOOK)
    await call(bot, "delete_webhook")

    assert bot.script.methods == ["set_webhook", "get_webhook_info", "delete_webhook"]


async def test_beside_a_peer_updates_are_never_dropped(
    kind: Any, make_poller: Callable[..., OnePoller], canary: str, peer_at_work: AtWork
) -> None:
    """The webhook goes, where the switch allows it; the argument that drops is overruled."""
    bot = guard(kind(canary, Script(hook=HOOK)), make_poller(on_webhook="delete"))
    async with peer_at_work():
        await call(bot, "delete_webhook", drop_pending_updates=True)

    assert bot.script.calls[-1] == ("delete_webhook", {"drop_pending_updates": False})


async def test_skip_pending_alone_is_sent_at_once(
    kind: Any, poller: OnePoller, canary: str, events: list[Event]
) -> None:
    """It asks for no long poll, and what it leaves is no gap."""
    bot = guard(kind(canary, Script([update(7)], [update(7)])), poller)
    await call(bot, "get_updates", offset=-1)
    await call(bot, "get_updates", offset=1)

    none = 0 if kind is Async else 0.1
    assert bot.script.calls[0] == ("get_updates", {"offset": -1, timeout_of(bot): none})
    assert [type(event).__name__ for event in events if "Gap" in type(event).__name__] == []


async def test_skip_pending_beside_a_peer_is_answered_as_done(
    kind: Any, poller: OnePoller, canary: str, peer_at_work: AtWork, events: list[Event]
) -> None:
    """And told in one line."""
    bot = guard(kind(canary, Script()), poller)
    async with peer_at_work():
        updates = await call(bot, "get_updates", offset=-1)

    assert (updates, bot.script.calls, told(events)) == ([], [], [("drop_skipped", "")])


async def test_a_standby_never_drops(
    kind: Any, poller: OnePoller, canary: str, peer_at_work: AtWork, events: list[Event]
) -> None:
    """Not even where the peer has gone meanwhile: it was no start any more."""
    bot = guard(kind(canary, Script()), poller)
    async with peer_at_work():
        await call(bot, "get_updates", **{timeout_of(bot): 1})
    await call(bot, "get_updates", offset=-1)

    assert (bot.script.calls, told(events)) == ([], [("drop_skipped", "")])


async def test_a_holder_may_drop(kind: Any, poller: OnePoller, canary: str) -> None:
    """Somebody asked for exactly that."""
    bot = guard(kind(canary, Script()), poller)
    await call(bot, "get_updates")
    await call(bot, "get_updates", offset=-1)

    assert [given.get("offset") for _, given in bot.script.calls] == [None, -1]


async def test_nothing_of_the_bot_shows_its_token(kind: Any, poller: OnePoller, canary: str) -> None:
    """What stands in the place of its methods has the repr of any object."""
    bot = guard(kind(canary, Script()), poller)

    assert canary not in repr(bot.get_updates)
