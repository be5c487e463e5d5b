"""aiogram, guarded: what is sent, what is answered here, and what stays as it was."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from aiogram import Bot, Dispatcher, exceptions
from aiogram.client.session.base import BaseSession
from aiogram.client.session.middlewares.base import BaseRequestMiddleware, NextRequestMiddlewareType
from aiogram.client.telegram import PRODUCTION, TEST, TelegramAPIServer
from aiogram.methods import GetUpdates, TelegramMethod
from aiogram.methods.base import Response, TelegramType

from onepoller import OnePoller, SettingsError, SetupError, process
from onepoller.adapters.aiogram import guard
from onepoller.coordination.events import Event, Outcome, PollEnded, TokenRefused, WebhookCallGuarded
from onepoller.coordination.identity import BotId
from onepoller.coordination.report import Role

BOT = 7000000001
SECOND = "7000000002:BBH-test-test-test-test-test-test-te"
ROOT = "https://api.telegram.org"
NO_WEBHOOK = '{"ok":true,"result":{"url":"","has_custom_certificate":false,"pending_update_count":0}}'
WEBHOOK = NO_WEBHOOK.replace('"url":""', '"url":"https://bot.example.org/hook/s3cret"')
UPDATE = '{"ok":true,"result":[{"update_id":5}]}'
UNAUTHORIZED = (401, '{"ok":false,"error_code":401,"description":"Unauthorized"}')
AtWork = Callable[[], AbstractAsyncContextManager[None]]


class Scripted(BaseSession):
    """A session of one's own that answers from a script; a method that nobody expected fails the test."""

    def __init__(self, api: TelegramAPIServer | None = None, **replies: Any) -> None:
        super().__init__(PRODUCTION if api is None else api)
        self.replies: dict[str, Any] = {
            "getUpdates": (200, '{"ok":true,"result":[]}'),
            "getWebhookInfo": (200, NO_WEBHOOK),
            "deleteWebhook": (200, '{"ok":true,"result":true}'),
            "setWebhook": (200, '{"ok":true,"result":true}'),
        } | replies
        self.sent: list[TelegramMethod[Any]] = []
        self.timeouts: list[int | None] = []

    async def make_request(
        self, bot: Bot, method: TelegramMethod[TelegramType], timeout: int | None = None
    ) -> TelegramType:
        self.sent.append(method)
        self.timeouts.append(timeout)
        reply = self.replies[method.__api_method__]
        if isinstance(reply, BaseException):
            raise reply
        status, body = reply
        result: TelegramType = self.check_response(bot, method, status, body).result  # type: ignore[assignment]
        return result

    async def close(self) -> None:
        """End nothing."""

    async def stream_content(self, *_: Any, **__: Any) -> AsyncGenerator[bytes, None]:
        """Stream nothing."""
        yield b""

    @property
    def methods(self) -> list[str]:
        return [method.__api_method__ for method in self.sent]


def error(status: int, text: str, **parameters: int) -> tuple[int, str]:
    """Answer an error."""
    body = {"ok": False, "error_code": status, "description": text, "parameters": parameters}
    return status, json.dumps(body)


@pytest.fixture
def guarded(poller: OnePoller, canary: str) -> Callable[[Scripted], Bot]:
    """Give a function that makes a guarded bot."""
    return lambda session: guard(Bot(canary, session=session), poller)


# guard


def test_guard_gives_the_bot_back_and_adds_one_middleware(poller: OnePoller, canary: str) -> None:
    """However often it is called: a second middleware would see the first as a second poller."""
    bot = Bot(canary, session=Scripted())

    assert guard(guard(bot, poller), poller) is bot
    assert len(bot.session.middleware) == 1


def test_bots_of_one_session_share_its_middleware(poller: OnePoller, canary: str) -> None:
    """It knows them by their ids, and its repr shows no more than those."""
    session = Scripted()
    for token in (canary, SECOND):
        guard(Bot(token, session=session), poller)

    assert repr(session.middleware[0]) == "<Turns of bot 7000000001, bot 7000000002>"
    assert len(session.middleware) == 1


class _WithoutMiddlewares(Scripted):
    def __init__(self) -> None:
        super().__init__()
        del self.middleware


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        pytest.param(lambda _: Dispatcher(), "guard takes an aiogram Bot, not a Dispatcher", id="dispatcher"),
        pytest.param(
            lambda token: Bot(token, session=_WithoutMiddlewares()),
            "_WithoutMiddlewares has no request middlewares: a session of your own must keep those",
            id="a session without middlewares",
        ),
    ],
)
def test_what_does_not_fit_is_told_in_one_sentence(
    make: Callable[[str], Any], sentence: str, poller: OnePoller, canary: str
) -> None:
    """By `guard`, not by the first poll."""
    with pytest.raises(SetupError, match=f"^{sentence}"):
        guard(make(canary), poller)


def test_wrong_settings_are_told_by_guard(monkeypatch: pytest.MonkeyPatch, canary: str) -> None:
    """Not by the first poll, which stands in a retry loop."""
    monkeypatch.setattr(process, "_default", None)
    monkeypatch.setenv("ONEPOLLER_ON_WEBHOOK", "ask")

    with pytest.raises(SettingsError, match="on_webhook"):
        guard(Bot(canary, session=Scripted()))


def test_aiogram_2_is_told_in_one_sentence(tmp_path: Path) -> None:
    """It has no request middlewares; the import of the adapter says which version to use."""
    (tmp_path / "aiogram").mkdir()
    (tmp_path / "aiogram" / "__init__.py").write_text("__version__ = '2.25.2'\nclass Bot: ...\n")
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import onepoller.adapters.aiogram"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, text=True)

    assert said.stderr.splitlines()[-1].endswith(
        "SetupError: aiogram 2.25.2 has no request middlewares: use a version that onepoller[aiogram] allows"
    )


# getUpdates


@pytest.mark.anyio
async def test_a_call_that_nobody_changed_goes_out_as_it_is(poller: OnePoller, canary: str) -> None:
    """The very method that the dispatcher made is sent, with its request timeout."""
    session = Scripted()
    method = GetUpdates(timeout=10, allowed_updates=["message"])

    assert await guard(Bot(canary, session=session), poller)(method, request_timeout=70) == []
    assert session.sent[0] is method
    assert session.timeouts == [70]


@pytest.mark.anyio
async def test_what_the_guard_changes_is_changed_in_a_copy(
    poller: OnePoller, canary: str, handed_over: Callable[[str], None]
) -> None:
    """An offset behind the former holder's is raised; the dispatcher's own method stays as it was."""
    session = Scripted()
    bot = guard(Bot(canary, session=session), poller)
    await bot.get_updates(timeout=10)
    handed_over(ROOT)
    method = GetUpdates(offset=7, timeout=10, allowed_updates=["message"])

    await bot(method)

    assert session.sent[-1] == GetUpdates(offset=9, timeout=10, allowed_updates=["message"])
    assert method.offset == 7


@pytest.mark.anyio
async def test_updates_come_through(poller: OnePoller, canary: str) -> None:
    """A batch is handed on as the session made it."""
    bot = guard(Bot(canary, session=Scripted(getUpdates=(200, UPDATE))), poller)

    assert [update.update_id for update in await bot.get_updates(timeout=10)] == [5]


@pytest.mark.slow
@pytest.mark.anyio
async def test_standby_sends_nothing_and_takes_its_time(
    poller: OnePoller, canary: str, peer_at_work: AtWork
) -> None:
    """While a peer polls, a call lasts its whole timeout and brings an empty list."""
    session = Scripted()
    bot = guard(Bot(canary, session=session), poller)
    loop = asyncio.get_running_loop()
    async with peer_at_work():
        started = loop.time()
        updates = await bot.get_updates(timeout=1)

    assert (updates, session.sent) == ([], [])
    assert loop.time() - started == pytest.approx(1.0, abs=0.3)


@pytest.mark.anyio
async def test_a_bot_that_was_not_guarded_goes_past(
    poller: OnePoller, canary: str, peer_at_work: AtWork
) -> None:
    """It may share the session of one that was."""
    session = Scripted()
    guard(Bot(SECOND, session=session), poller)
    async with peer_at_work():
        await Bot(canary, session=session).get_updates(timeout=10)

    assert session.methods == ["getUpdates"]
    assert poller.instance.guards == {}


@pytest.mark.parametrize(
    ("api", "root"),
    [
        pytest.param(None, ROOT, id="Telegram"),
        pytest.param(TEST, f"{ROOT}/test", id="its test environment"),
        pytest.param(TelegramAPIServer.from_base("http://127.0.0.1:9/x"), "http://127.0.0.1:9/x", id="base"),
        pytest.param(
            TelegramAPIServer(base="http://127.0.0.1:9/{method}?key={token}", file=""),
            f"http://127.0.0.1:9/getUpdates?key={BOT}:0",
            id="any shape",
        ),
    ],
)
@pytest.mark.anyio
async def test_the_api_root_is_known_without_the_token(
    api: TelegramAPIServer | None, root: str, poller: OnePoller, canary: str
) -> None:
    """Offsets are valid at one root only; a URL of any other shape stands for itself."""
    bot = guard(Bot(canary, session=Scripted(api)), poller)

    await bot.get_updates(timeout=10)

    assert poller.guard(BotId(BOT)).api_root == root


class _Counting(BaseRequestMiddleware):
    def __init__(self) -> None:
        self.seen: list[str] = []

    async def __call__(
        self,
        make_request: NextRequestMiddlewareType[TelegramType],
        bot: Bot,
        method: TelegramMethod[TelegramType],
    ) -> Response[TelegramType]:
        self.seen.append(method.__api_method__)
        return await make_request(bot, method)


@pytest.mark.slow
@pytest.mark.anyio
async def test_a_middleware_registered_later_sees_what_is_really_sent(
    poller: OnePoller, canary: str, peer_at_work: AtWork
) -> None:
    """One that was there before sees the call of the framework, also where nothing is sent."""
    before, after = _Counting(), _Counting()
    session = Scripted()
    session.middleware(before)
    bot = guard(Bot(canary, session=session), poller)
    session.middleware(after)
    async with peer_at_work():
        await bot.get_updates(timeout=1)

    assert (before.seen, after.seen) == (["getUpdates"], [])


# Errors: aiogram's own, handed on as they are


@pytest.mark.parametrize(
    ("reply", "kind", "outcome"),
    [
        (UNAUTHORIZED, exceptions.TelegramUnauthorizedError, Outcome.UNAUTHORIZED),
        (error(429, "Too Many", retry_after=7), exceptions.TelegramRetryAfter, Outcome.RATE_LIMITED),
        (error(404, "Not Found"), exceptions.TelegramNotFound, Outcome.SERVER_ERROR),
        (error(403, "Forbidden"), exceptions.TelegramForbiddenError, Outcome.SERVER_ERROR),
        (error(400, "Logged out"), exceptions.TelegramBadRequest, Outcome.SERVER_ERROR),
        (error(502, "Bad Gateway"), exceptions.TelegramServerError, Outcome.SERVER_ERROR),
        (error(500, "restart"), exceptions.RestartingTelegram, Outcome.SERVER_ERROR),
        (error(421, "Misdirected"), exceptions.TelegramAPIError, Outcome.SERVER_ERROR),
        ((502, "<html>502</html>"), exceptions.ClientDecodeError, Outcome.SERVER_ERROR),
        ((200, '{"ok":true,"result":[{"upda'), exceptions.ClientDecodeError, Outcome.SERVER_ERROR),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
@pytest.mark.anyio
async def test_an_error_of_telegram_is_counted_and_handed_on(
    reply: tuple[int, str],
    kind: type[Exception],
    outcome: Outcome,
    guarded: Callable[[Scripted], Bot],
    events: list[Event],
) -> None:
    """Its class is the one that aiogram gives without us."""
    bot = guarded(Scripted(getUpdates=reply))

    with pytest.raises(kind) as raised:
        await bot.get_updates(timeout=10)

    assert type(raised.value) is kind
    assert [event.outcome for event in events if isinstance(event, PollEnded)] == [outcome]


@pytest.mark.parametrize(
    "gone",
    [exceptions.TelegramNetworkError(GetUpdates(), "gone"), OSError("gone"), RuntimeError("gone")],
    ids=lambda gone: type(gone).__name__,
)
@pytest.mark.anyio
async def test_what_is_no_answer_passes_unchanged(
    gone: Exception, poller: OnePoller, canary: str, events: list[Event]
) -> None:
    """Whatever the session raises is what the dispatcher sees: the same object."""
    bot = guard(Bot(canary, session=Scripted(getUpdates=gone)), poller)

    with pytest.raises(type(gone)) as raised:
        await bot.get_updates(timeout=10)

    assert raised.value is gone
    assert [event.outcome for event in events if isinstance(event, PollEnded)] == [Outcome.NETWORK_ERROR]


@pytest.mark.anyio
async def test_a_200_without_a_result_is_handed_on(poller: OnePoller, canary: str) -> None:
    """The session gives None then, and the dispatcher ends over it, as without us."""
    bot = guard(Bot(canary, session=Scripted(getUpdates=(200, '{"ok":true}'))), poller)

    assert await bot.get_updates(timeout=10) is None


@pytest.mark.anyio
async def test_a_refused_token_is_told(poller: OnePoller, canary: str, events: list[Event]) -> None:
    """The dispatcher retries a 401 for ever; we say why."""
    bot = guard(Bot(canary, session=Scripted(getUpdates=UNAUTHORIZED)), poller)

    with pytest.raises(exceptions.TelegramUnauthorizedError):
        await bot.get_updates(timeout=10)

    assert [event.bot_id for event in events if isinstance(event, TokenRefused)] == [BOT]


# The end


class _Parking(Scripted):
    def __init__(self) -> None:
        super().__init__()
        self.parked = asyncio.Event()

    async def make_request(
        self, bot: Bot, method: TelegramMethod[TelegramType], timeout: int | None = None
    ) -> TelegramType:
        if not isinstance(method, GetUpdates) or method.timeout == 0:
            return await super().make_request(bot, method, timeout)
        self.sent.append(method)
        self.parked.set()
        await asyncio.Event().wait()
        raise AssertionError


@pytest.mark.anyio
async def test_a_cancelled_call_is_the_goodbye(poller: OnePoller, canary: str) -> None:
    """The dispatcher cancels its polls when it stops: a new offset is confirmed, the claim released."""
    session = _Parking()
    bot = guard(Bot(canary, session=session), poller)
    task = asyncio.create_task(bot.get_updates(offset=6, timeout=10))
    await session.parked.wait()

    task.cancel()
    await asyncio.wait((task,))

    assert task.cancelled()
    assert poller.guard(BotId(BOT)).state.role is Role.STOPPED
    assert session.sent[1:] == [GetUpdates(offset=6, limit=1, timeout=0)]


# Webhooks


def told(events: list[Event]) -> list[tuple[str, str]]:
    """Give what was told of webhook calls."""
    return [(event.answer, event.detail) for event in events if isinstance(event, WebhookCallGuarded)]


@pytest.mark.anyio
async def test_without_a_webhook_its_deletion_is_answered_here(
    poller: OnePoller, canary: str, events: list[Event]
) -> None:
    """As the server would answer; only the read-only question is sent."""
    session = Scripted()

    assert await guard(Bot(canary, session=session), poller).delete_webhook() is True
    assert (session.methods, told(events)) == (["getWebhookInfo"], [("already_deleted", "")])


@pytest.mark.parametrize("change", [Bot.delete_webhook, lambda bot: bot.set_webhook("")])
@pytest.mark.anyio
async def test_somebody_elses_webhook_is_not_deleted(
    change: Callable[[Bot], Awaitable[bool]], poller: OnePoller, canary: str, events: list[Event]
) -> None:
    """The error names the host, not the path, and the switch; an empty setWebhook deletes as well."""
    session = Scripted(getWebhookInfo=(200, WEBHOOK))

    with pytest.raises(exceptions.TelegramBadRequest) as raised:
        await change(guard(Bot(canary, session=session), poller))

    assert raised.value.message == (
        "onepoller: deleteWebhook was refused, because bot 7000000001 has a webhook at bot.example.org, "
        "which somebody else set; if it may go, set on_webhook='delete' (ONEPOLLER_ON_WEBHOOK=delete)"
    )
    assert (session.methods, told(events)) == (["getWebhookInfo"], [("refused", "bot.example.org")])


@pytest.mark.anyio
async def test_the_switch_allows_it(make_poller: Callable[..., OnePoller], canary: str) -> None:
    """`on_webhook="delete"`: the call is sent as it is."""
    session = Scripted(getWebhookInfo=(200, WEBHOOK))

    assert await guard(Bot(canary, session=session), make_poller(on_webhook="delete")).delete_webhook()
    assert session.methods == ["getWebhookInfo", "deleteWebhook"]


@pytest.mark.anyio
async def test_your_own_webhook_may_go_and_no_other_bots(poller: OnePoller, canary: str) -> None:
    """What a bot has set, that bot may delete, though another one shares its session."""
    session = Scripted(getWebhookInfo=(200, WEBHOOK))
    bot, other = (guard(Bot(token, session=session), poller) for token in (canary, SECOND))
    await bot.set_webhook("https://bot.example.org/hook/s3cret")

    with pytest.raises(exceptions.TelegramBadRequest):
        await other.delete_webhook()
    await bot.delete_webhook()

    assert session.methods == ["setWebhook", "getWebhookInfo", "getWebhookInfo", "deleteWebhook"]


@pytest.mark.anyio
async def test_a_deletion_while_polling_is_the_users_and_is_sent(poller: OnePoller, canary: str) -> None:
    """It is no start-up call: a person asked for exactly that."""
    session = Scripted(getWebhookInfo=(200, WEBHOOK))
    bot = guard(Bot(canary, session=session), poller)
    await bot.get_updates(timeout=10)

    await bot.delete_webhook(drop_pending_updates=True)

    assert session.methods == ["getUpdates", "deleteWebhook"]


@pytest.mark.anyio
async def test_updates_are_dropped_where_nobody_else_is(poller: OnePoller, canary: str) -> None:
    """`drop_pending_updates` of the only instance is sent."""
    session = Scripted()

    await guard(Bot(canary, session=session), poller).delete_webhook(drop_pending_updates=True)

    assert session.methods == ["getWebhookInfo", "deleteWebhook"]
    assert session.sent[-1].model_dump() == {"drop_pending_updates": True}


@pytest.mark.anyio
async def test_beside_a_peer_updates_are_never_dropped(
    poller: OnePoller, canary: str, events: list[Event], peer_at_work: AtWork
) -> None:
    """It is answered as done, told once, and not sent: the peer works on them."""
    session = Scripted()
    async with peer_at_work():
        done = await guard(Bot(canary, session=session), poller).delete_webhook(drop_pending_updates=True)

    assert (done, session.methods, told(events)) == (True, ["getWebhookInfo"], [("drop_skipped", "")])


@pytest.mark.anyio
async def test_beside_a_peer_a_webhook_is_deleted_without_dropping(
    make_poller: Callable[..., OnePoller], canary: str, peer_at_work: AtWork
) -> None:
    """Where the switch allows it, the webhook goes and the updates stay."""
    session = Scripted(getWebhookInfo=(200, WEBHOOK))
    bot = guard(Bot(canary, session=session), make_poller(on_webhook="delete"))
    async with peer_at_work():
        await bot.delete_webhook(drop_pending_updates=True)

    assert [method.model_dump(exclude_none=True) for method in session.sent] == [{}, {}]
    assert session.methods == ["getWebhookInfo", "deleteWebhook"]


@pytest.mark.anyio
async def test_a_question_that_fails_is_the_answer(poller: OnePoller, canary: str) -> None:
    """Nothing is known of a webhook then, so nothing is deleted."""
    session = Scripted(getWebhookInfo=UNAUTHORIZED)

    with pytest.raises(exceptions.TelegramUnauthorizedError):
        await guard(Bot(canary, session=session), poller).delete_webhook()

    assert session.methods == ["getWebhookInfo"]
