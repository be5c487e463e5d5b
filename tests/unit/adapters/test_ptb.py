"""python-telegram-bot, guarded: what is sent, what is answered here, and what stays as it was."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from telegram import Bot
from telegram.error import BadRequest, InvalidToken, NetworkError, TimedOut
from telegram.ext import Application, ApplicationBuilder, ExtBot
from telegram.request import BaseRequest, HTTPXRequest, RequestData

from onepoller import OnePoller, SettingsError, SetupError, process
from onepoller.adapters.ptb import GuardedRequest, guard
from onepoller.coordination.events import Event, TokenRefused, WebhookCallGuarded
from onepoller.coordination.identity import BotId

BOT = 7000000001
PLAIN = f"{BOT}:{'A' * 35}"  # for what logs its token before it is guarded
EMPTY = b'{"ok":true,"result":[]}'
TRUE = b'{"ok":true,"result":true}'
NO_WEBHOOK = b'{"ok":true,"result":{"url":"","has_custom_certificate":false,"pending_update_count":0}}'
WEBHOOK = NO_WEBHOOK.replace(b'"url":""', b'"url":"https://bot.example.org/hook/s3cret"')
UPDATE = b'{"ok":true,"result":[{"update_id":5}]}'
AtWork = Callable[[], AbstractAsyncContextManager[None]]


@dataclass(kw_only=True)
class Sent:
    """One call that the adapter let through."""

    url: str = field(repr=False)
    data: RequestData | None
    timeouts: dict[str, Any]

    @property
    def method(self) -> str:
        return urlsplit(self.url).path.rpartition("/")[2]

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.url).query)


class Inner(BaseRequest):
    """A request object that answers from a script; a method that nobody expected fails the test."""

    def __init__(self, **replies: Any) -> None:
        self.replies: dict[str, Any] = {
            "getUpdates": (200, EMPTY),
            "getWebhookInfo": (200, NO_WEBHOOK),
            "deleteWebhook": (200, TRUE),
            "setWebhook": (200, TRUE),
        } | replies
        self.sent: list[Sent] = []
        self.lives: list[str] = []
        self.flavour = "own"

    @property
    def read_timeout(self) -> float:
        return 7.0

    async def initialize(self) -> None:
        self.lives.append("initialize")

    async def shutdown(self) -> None:
        self.lives.append("shutdown")

    async def do_request(  # type: ignore[override]  # all timeouts in one, to look at
        self, url: str, method: str, request_data: RequestData | None = None, **timeouts: Any
    ) -> tuple[int, bytes]:
        assert method == "POST"
        sent = Sent(url=url, data=request_data, timeouts=timeouts)
        self.sent.append(sent)
        reply = self.replies[sent.method]
        if isinstance(reply, list):
            reply = reply.pop(0)
        if isinstance(reply, BaseException):
            raise reply
        answer: tuple[int, bytes] = reply
        return answer

    @property
    def methods(self) -> list[str]:
        return [sent.method for sent in self.sent]


def bot_of(canary: str, poller: OnePoller, polls: Inner, calls: Inner | None = None) -> Bot:
    """Make a bot by hand, both of its request objects guarded."""
    return Bot(
        canary,
        request=GuardedRequest(calls or Inner(), poller),
        get_updates_request=GuardedRequest(polls, poller),
    )


# guard


def _options(builder: ApplicationBuilder[Any, Any, Any, Any, Any, Any]) -> Any:
    return builder.get_updates_proxy("http://127.0.0.1:9").get_updates_read_timeout(3).connection_pool_size(9)


def _own_requests(builder: ApplicationBuilder[Any, Any, Any, Any, Any, Any]) -> Any:
    return builder.request(HTTPXRequest()).get_updates_request(HTTPXRequest())


def _no_updater(builder: ApplicationBuilder[Any, Any, Any, Any, Any, Any]) -> Any:
    return builder.updater(None)


@pytest.mark.parametrize("options", [_options, _own_requests, _no_updater])
@pytest.mark.parametrize("place", ["first", "last"])
def test_guard_goes_together_with_every_option(
    options: Callable[[Any], Any], place: str, poller: OnePoller, canary: str
) -> None:
    """Wherever it stands in the chain, both request objects of the finished bot are guarded."""
    builder = ApplicationBuilder()
    if place == "first":
        builder = guard(builder, poller)
    builder = options(builder.token(canary))
    if place == "last":
        builder = guard(builder, poller)

    pair = builder.build().bot._request

    assert [type(request) for request in pair] == [GuardedRequest, GuardedRequest]


def test_a_bot_of_your_own_is_guarded_where_it_lies(poller: OnePoller) -> None:
    """`bot()` on the builder: that bot's request objects are wrapped."""
    bot = ExtBot(PLAIN)

    guard(ApplicationBuilder().bot(bot), poller).build()

    assert [type(request) for request in bot._request] == [GuardedRequest, GuardedRequest]


def test_an_application_class_of_your_own_is_guarded_after_build(poller: OnePoller) -> None:
    """`guard(application)` gives the same application back, guarded."""

    class Own(Application[Any, Any, Any, Any, Any, Any]):
        pass

    application = ApplicationBuilder().token(PLAIN).application_class(Own).build()

    assert guard(application, poller) is application
    assert [type(request) for request in application.bot._request] == [GuardedRequest, GuardedRequest]


def test_guard_twice_is_guard_once(poller: OnePoller, canary: str) -> None:
    """A guarded builder's application may be guarded again: nothing is wrapped twice."""
    application = guard(ApplicationBuilder().token(canary), poller).build()
    pair = application.bot._request

    guard(application, poller)

    assert application.bot._request == pair


def test_the_first_of_the_pair_polls_and_the_second_does_the_rest() -> None:
    """The contract with the one private name: `Bot._request` is (getUpdates, everything else)."""
    calls, polls = Inner(), Inner()

    bot = Bot(PLAIN, request=calls, get_updates_request=polls)

    assert bot._request == (polls, calls)


def test_a_python_telegram_bot_that_has_changed_is_told_in_one_sentence(poller: OnePoller) -> None:
    """Without `Bot._request` there is no guard, and the error says which version to use."""

    class Changed:
        bot = object()

    with pytest.raises(SetupError, match=r"^python-telegram-bot .* elsewhere .*: use a version that"):
        guard(Changed(), poller)  # type: ignore[type-var]


def test_wrong_settings_are_told_by_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by the first poll, which stands in a retry loop."""
    monkeypatch.setattr(process, "_default", None)
    monkeypatch.setenv("ONEPOLLER_ON_WEBHOOK", "ask")

    with pytest.raises(SettingsError, match="on_webhook"):
        guard(ApplicationBuilder())


# The request objects


def test_your_own_request_object_keeps_its_attributes_and_its_json_parser(poller: OnePoller) -> None:
    """Whoever looks at `bot.request` finds what he put there."""

    class Own(Inner):
        @staticmethod
        def parse_json_payload(payload: bytes) -> dict[str, Any]:
            return {"result": payload}

    guarded = GuardedRequest(Own(), poller)

    assert (guarded.flavour, guarded.read_timeout, guarded.parse_json_payload(b"x")) == (
        "own",
        7.0,
        {"result": b"x"},
    )


def test_a_guarded_request_shows_no_token(poller: OnePoller, canary: str) -> None:
    """Its repr names what it wraps and nothing else."""
    bot = bot_of(canary, poller, Inner())

    assert repr(bot.request) == "<GuardedRequest of Inner>"


@pytest.mark.anyio
async def test_a_call_that_nobody_changed_goes_out_as_it_is(poller: OnePoller, canary: str) -> None:
    """The very objects that python-telegram-bot made are sent, with its timeouts."""
    polls = Inner()
    request = GuardedRequest(polls, poller)
    data = RequestData()
    url = f"https://api.telegram.org/bot{canary}/getUpdates"

    reply = await request.do_request(url, "POST", data, 1.0, 2.0, 3.0, 4.0)

    timeouts = {"read_timeout": 1.0, "write_timeout": 2.0, "connect_timeout": 3.0, "pool_timeout": 4.0}
    assert reply == (200, EMPTY)
    assert polls.sent == [Sent(url=url, data=data, timeouts=timeouts)]


@pytest.mark.anyio
async def test_what_the_guard_changes_goes_into_the_query(
    poller: OnePoller, canary: str, handed_over: Callable[[str], None]
) -> None:
    """An offset behind the former holder's is raised; the rest of the call stays."""
    polls = Inner()
    bot = bot_of(canary, poller, polls)
    await bot.get_updates(timeout=10)
    handed_over(poller.guard(BotId(BOT)).api_root)

    await bot.get_updates(offset=7, timeout=10, allowed_updates=["message"])

    sent = polls.sent[-1]
    assert sent.data is None
    assert sent.query == {
        "offset": ["9"],
        "timeout": ["10"],
        "allowed_updates": ['["message"]'],
    }


@pytest.mark.anyio
async def test_updates_come_through(poller: OnePoller, canary: str) -> None:
    """A batch is handed on byte for byte."""
    bot = bot_of(canary, poller, Inner(getUpdates=(200, UPDATE)))

    assert [update.update_id for update in await bot.get_updates(timeout=10)] == [5]


@pytest.mark.slow
@pytest.mark.anyio
async def test_standby_sends_nothing_and_takes_its_time(
    poller: OnePoller, canary: str, peer_at_work: AtWork
) -> None:
    """While a peer polls, a call lasts its whole timeout and brings an empty list."""
    polls = Inner()
    bot = bot_of(canary, poller, polls)
    loop = asyncio.get_running_loop()
    async with peer_at_work():
        started = loop.time()
        updates = await bot.get_updates(timeout=1)

    assert (updates, polls.sent) == ((), [])
    assert loop.time() - started == pytest.approx(1.0, abs=0.3)


@pytest.mark.anyio
async def test_a_base_url_of_any_shape_is_guarded(poller: OnePoller, canary: str) -> None:
    """Where the URL does not look like a Bot API's, the bot is known from the application."""
    polls = Inner()
    builder = ApplicationBuilder().token(canary).base_url("http://127.0.0.1:9/mine")
    bot = guard(builder.request(Inner()).get_updates_request(polls), poller).build().bot

    await bot.get_updates(timeout=10)

    assert [(guarded.bot_id, guarded.api_root) for guarded in poller.instance.guards.values()] == [
        (BOT, "127.0.0.1")
    ]


@pytest.mark.anyio
async def test_an_error_passes_unchanged(poller: OnePoller, canary: str) -> None:
    """What the request object raises is what python-telegram-bot sees."""
    error = NetworkError("gone")
    bot = bot_of(canary, poller, Inner(getUpdates=error))

    with pytest.raises(NetworkError) as raised:
        await bot.get_updates(timeout=10)

    assert raised.value is error


@pytest.mark.anyio
async def test_a_refused_token_is_told(poller: OnePoller, canary: str, events: list[Event]) -> None:
    """python-telegram-bot stops polling on a 401 for good; we say why."""
    refused = (401, b'{"ok":false,"error_code":401,"description":"Unauthorized"}')
    bot = bot_of(canary, poller, Inner(getUpdates=refused))

    with pytest.raises(InvalidToken):
        await bot.get_updates(timeout=10)

    assert [event for event in events if isinstance(event, TokenRefused)] == [TokenRefused(bot_id=BOT)]  # type: ignore[arg-type]


def pool_timeout() -> TimedOut:
    """Make what HTTPXRequest raises where all connections are taken."""
    error = TimedOut("Pool timeout")
    error.__cause__ = httpx.PoolTimeout("")
    return error


@pytest.mark.parametrize(
    ("replies", "lives"),
    [
        pytest.param([pool_timeout(), pool_timeout()], ["shutdown", "initialize"], id="two in a row"),
        pytest.param([pool_timeout(), (200, EMPTY), pool_timeout()], [], id="an answer between"),
        pytest.param([pool_timeout(), TimedOut("read"), pool_timeout()], [], id="another timeout between"),
    ],
)
@pytest.mark.anyio
async def test_two_pool_timeouts_in_a_row_build_the_client_anew(
    replies: list[Any], lives: list[str], poller: OnePoller, canary: str
) -> None:
    """The pool has lost its only connection for good; any other answer says that it has not."""
    polls = Inner(getUpdates=list(replies))
    bot = bot_of(canary, poller, polls)
    for reply in replies:
        if isinstance(reply, BaseException):
            with pytest.raises(TimedOut):
                await bot.get_updates(timeout=10)
        else:
            await bot.get_updates(timeout=10)

    assert polls.lives == lives


@pytest.mark.anyio
async def test_who_is_cancelled_while_the_client_is_built_anew_has_one(
    poller: OnePoller, canary: str
) -> None:
    """A closed client would be a deaf bot."""
    polls = Inner(getUpdates=[pool_timeout(), pool_timeout()])
    bot = bot_of(canary, poller, polls)
    shutdown = polls.shutdown

    async def is_cancelled() -> None:
        await shutdown()
        raise asyncio.CancelledError

    polls.shutdown = is_cancelled  # type: ignore[method-assign]
    with pytest.raises(TimedOut):
        await bot.get_updates(timeout=10)
    with pytest.raises(asyncio.CancelledError):
        await bot.get_updates(timeout=10)

    assert polls.lives == ["shutdown", "initialize"]


@pytest.mark.anyio
async def test_pool_timeouts_of_other_calls_rebuild_nothing(poller: OnePoller, canary: str) -> None:
    """Messages that are being sent share that client: it stays."""
    calls = Inner(sendMessage=[pool_timeout(), pool_timeout()])
    bot = bot_of(canary, poller, Inner(), calls)
    for _ in range(2):
        with pytest.raises(TimedOut):
            await bot.send_message(1, "x")

    assert calls.lives == []


# Start-up calls


def told(events: list[Event]) -> list[tuple[str, str]]:
    """Give what was told of start-up calls."""
    return [(event.answer, event.detail) for event in events if isinstance(event, WebhookCallGuarded)]


@pytest.mark.anyio
async def test_without_a_webhook_its_deletion_is_answered_here(
    poller: OnePoller, canary: str, events: list[Event]
) -> None:
    """As the server would answer; only the read-only question is sent."""
    calls = Inner()

    assert await bot_of(canary, poller, Inner(), calls).delete_webhook() is True
    assert (calls.methods, told(events)) == (["getWebhookInfo"], [("already_deleted", "")])


@pytest.mark.parametrize("method", ["delete_webhook", "set_webhook"])
@pytest.mark.anyio
async def test_somebody_elses_webhook_is_not_deleted(
    method: str, poller: OnePoller, canary: str, events: list[Event]
) -> None:
    """The error names the host, not the path, and the switch; an empty setWebhook deletes as well."""
    calls = Inner(getWebhookInfo=(200, WEBHOOK))
    bot = bot_of(canary, poller, Inner(), calls)

    with pytest.raises(BadRequest) as raised:
        await (bot.delete_webhook() if method == "delete_webhook" else bot.set_webhook(""))

    assert str(raised.value) == (
        "onepoller: deleteWebhook was refused, because bot 7000000001 has a webhook at bot.example.org, "
        "which somebody else set; if it may go, set on_webhook='delete' (ONEPOLLER_ON_WEBHOOK=delete)"
    )
    assert (calls.methods, told(events)) == (["getWebhookInfo"], [("refused", "bot.example.org")])


@pytest.mark.anyio
async def test_the_switch_allows_it(make_poller: Callable[..., OnePoller], canary: str) -> None:
    """`on_webhook="delete"`: the call is sent as it is."""
    calls = Inner(getWebhookInfo=(200, WEBHOOK))

    assert await bot_of(canary, make_poller(on_webhook="delete"), Inner(), calls).delete_webhook() is True
    assert calls.methods == ["getWebhookInfo", "deleteWebhook"]


@pytest.mark.anyio
async def test_your_own_webhook_may_go(poller: OnePoller, canary: str) -> None:
    """What this bot has set, it may delete."""
    calls = Inner(getWebhookInfo=(200, WEBHOOK))
    bot = bot_of(canary, poller, Inner(), calls)
    await bot.set_webhook("https://bot.example.org/hook/s3cret")

    await bot.delete_webhook()

    assert calls.methods == ["setWebhook", "getWebhookInfo", "deleteWebhook"]


@pytest.mark.anyio
async def test_a_deletion_while_polling_is_the_users_and_is_sent(poller: OnePoller, canary: str) -> None:
    """It is no start-up call: a person asked for exactly that."""
    calls = Inner(getWebhookInfo=(200, WEBHOOK))
    bot = bot_of(canary, poller, Inner(), calls)
    await bot.get_updates(timeout=10)

    await bot.delete_webhook(drop_pending_updates=True)

    assert calls.methods == ["deleteWebhook"]


@pytest.mark.anyio
async def test_a_deletion_before_polling_starts_is_the_users_where_that_is_known(
    poller: OnePoller, canary: str
) -> None:
    """In `post_init` the updater does not run yet: the call is not python-telegram-bot's own."""
    calls = Inner(getWebhookInfo=(200, WEBHOOK))
    builder = ApplicationBuilder().token(canary).request(calls).get_updates_request(Inner())
    application = guard(builder, poller).build()

    await application.bot.delete_webhook()

    assert calls.methods == ["deleteWebhook"]


@pytest.mark.anyio
async def test_updates_are_dropped_where_nobody_else_is(poller: OnePoller, canary: str) -> None:
    """`drop_pending_updates` of the only instance is sent."""
    calls = Inner()

    await bot_of(canary, poller, Inner(), calls).delete_webhook(drop_pending_updates=True)

    assert calls.methods == ["getWebhookInfo", "deleteWebhook"]
    assert calls.sent[-1].data is not None
    assert calls.sent[-1].data.parameters == {"drop_pending_updates": True}


@pytest.mark.anyio
async def test_beside_a_peer_updates_are_never_dropped(
    poller: OnePoller, canary: str, events: list[Event], peer_at_work: AtWork
) -> None:
    """It is answered as done, told once, and not sent: the peer works on them."""
    calls = Inner()
    async with peer_at_work():
        done = await bot_of(canary, poller, Inner(), calls).delete_webhook(drop_pending_updates=True)

    assert (done, calls.methods, told(events)) == (True, ["getWebhookInfo"], [("drop_skipped", "")])


@pytest.mark.anyio
async def test_beside_a_peer_a_webhook_is_deleted_without_dropping(
    make_poller: Callable[..., OnePoller], canary: str, peer_at_work: AtWork
) -> None:
    """Where the switch allows it, the webhook goes and the updates stay."""
    calls = Inner(getWebhookInfo=(200, WEBHOOK))
    bot = bot_of(canary, make_poller(on_webhook="delete"), Inner(), calls)
    async with peer_at_work():
        await bot.delete_webhook(drop_pending_updates=True)

    assert [(sent.method, sent.data) for sent in calls.sent][1:] == [("deleteWebhook", None)]


@pytest.mark.anyio
async def test_a_question_that_fails_is_the_answer(poller: OnePoller, canary: str) -> None:
    """Nothing is known of a webhook then, so nothing is deleted; python-telegram-bot tries again."""
    refused = (401, b'{"ok":false,"error_code":401,"description":"Unauthorized"}')
    calls = Inner(getWebhookInfo=refused)

    with pytest.raises(InvalidToken):
        await bot_of(canary, poller, Inner(), calls).delete_webhook()

    assert calls.methods == ["getWebhookInfo"]


# The end


@pytest.mark.anyio
async def test_shutdown_releases_the_claim(poller: OnePoller, canary: str) -> None:
    """The bot is forgotten, so that another instance may have it at once."""
    bot = bot_of(canary, poller, Inner())
    await bot.get_updates(timeout=10)

    await bot._request[0].shutdown()

    assert poller.instance.guards == {}


@pytest.mark.anyio
async def test_shutdown_leaves_a_bot_that_another_application_polls(poller: OnePoller, canary: str) -> None:
    """Two applications with one token in one process: the one that stays keeps the claim."""

    class Parked(Inner):
        async def do_request(self, url: str, *_: Any, **__: Any) -> tuple[int, bytes]:
            parked.set()
            await asyncio.Event().wait()
            raise AssertionError(url)

    parked = asyncio.Event()
    gone, stays = bot_of(canary, poller, Inner()), bot_of(canary, poller, Parked())
    await gone.get_updates(timeout=10)
    task = asyncio.create_task(stays.get_updates(timeout=10))
    await parked.wait()

    await gone._request[0].shutdown()

    assert list(poller.instance.guards) == [BOT]
    task.cancel()
    await asyncio.wait((task,))
