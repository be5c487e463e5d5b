"""Each of Telegram's 409 texts, in scripted sequences, seen by a bot that is guarded.

Both ways to guard are driven with the same scripts: a loop over httpx, and python-telegram-bot. A script is
what getUpdates answers, call by call; whatever it does not list fails the test. Copy a test, put in your
own sequence, and see what your bot would be given.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import httpx
import pytest
import respx
from telegram import Bot
from telegram.error import TelegramError
from telegram.request import HTTPXRequest

from onepoller import OnePoller
from onepoller.adapters.ptb import GuardedRequest
from onepoller.adapters.transport import AsyncGuardedTransport
from onepoller.coordination.conflict import Kind
from onepoller.coordination.events import ConflictSeen, EpisodeClosed, EpisodeOpened, Event

BOT = 7000000001
ROOT = "https://api.telegram.org"
AtWork = Callable[[], AbstractAsyncContextManager[None]]
Poll = Callable[[int], Awaitable[list[int]]]
"""One getUpdates with this timeout: the ids of its updates; OSError where the bot is given an error."""

pytestmark = pytest.mark.anyio


class Telegram(Protocol):
    """See `conftest.Telegram`."""

    polls: respx.Route
    webhook_questions: respx.Route

    def script(self, *answers: httpx.Response | Exception) -> None:
        """Say what the next polls are answered."""


def conflict(text: str) -> httpx.Response:
    """Answer 409."""
    body = {"ok": False, "error_code": 409, "description": f"Conflict: {text}"}
    return httpx.Response(409, json=body)


OTHER_POLLER = conflict(
    "terminated by other getUpdates request; make sure that only one bot instance is running"
)
WEBHOOK_IS_ACTIVE = conflict(
    "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)
WEBHOOK_WAS_SET = conflict("terminated by setWebhook request")
NEW_TEXT = conflict("something that Telegram has never said before")
UPDATE = httpx.Response(200, json={"ok": True, "result": [{"update_id": 5}]})
NOTHING = httpx.Response(200, json={"ok": True, "result": []})
GATEWAY = httpx.Response(502, html="<html>502 Bad Gateway</html>")


@pytest.fixture(params=["httpx loop", "python-telegram-bot"])
def poll(request: pytest.FixtureRequest, poller: OnePoller, canary: str, telegram: Telegram) -> Poll:
    """Give one getUpdates of a guarded bot."""
    assert telegram is not None
    if request.param == "httpx loop":
        client = httpx.AsyncClient(transport=AsyncGuardedTransport(poller=poller))

        async def by_hand(timeout: int) -> list[int]:
            try:
                reply = await client.post(f"{ROOT}/bot{canary}/getUpdates", json={"timeout": timeout})
            except httpx.HTTPError as error:
                raise OSError(str(error)) from error
            if reply.is_error:
                raise OSError(reply.status_code)
            return [update["update_id"] for update in reply.json()["result"]]

        return by_hand

    bot = Bot(
        canary,
        request=GuardedRequest(HTTPXRequest(), poller),
        get_updates_request=GuardedRequest(HTTPXRequest(), poller),
    )

    async def by_framework(timeout: int) -> list[int]:
        try:
            return [update.update_id for update in await bot.get_updates(timeout=timeout)]
        except TelegramError as error:
            raise OSError(str(error)) from error

    return by_framework


def seen(events: list[Event]) -> list[Kind]:
    """Give the kinds of the conflicts that were seen, in their order."""
    return [event.kind for event in events if isinstance(event, ConflictSeen)]


def episodes(events: list[Event]) -> list[tuple[str, Kind]]:
    """Give the episodes as they opened and closed."""
    told = {EpisodeOpened: "opened", EpisodeClosed: "closed"}
    return [(told[type(e)], e.kind) for e in events if isinstance(e, EpisodeOpened | EpisodeClosed)]


# We hold the claim: nobody in our store polls, so a 409 is somebody else


@pytest.mark.parametrize(
    ("answer", "kind"), [(OTHER_POLLER, Kind.RIVAL), (NEW_TEXT, Kind.UNKNOWN)], ids=["rival", "unknown text"]
)
async def test_a_rival_is_polled_against_and_the_bot_sees_its_updates(
    answer: httpx.Response, kind: Kind, poll: Poll, telegram: Telegram, events: list[Event]
) -> None:
    """Two conflicts, then updates: one call of the bot, one episode, no error."""
    telegram.script(answer, answer, UPDATE)

    assert await poll(10) == [5]
    assert (seen(events), episodes(events)) == ([kind, kind], [("opened", kind)])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "kind"),
    [(WEBHOOK_IS_ACTIVE, Kind.WEBHOOK_ACTIVE), (WEBHOOK_WAS_SET, Kind.WEBHOOK_SET)],
    ids=["webhook is active", "webhook was set"],
)
async def test_a_webhook_is_watched_until_it_is_gone(
    answer: httpx.Response, kind: Kind, poll: Poll, telegram: Telegram, events: list[Event]
) -> None:
    """Blocked: only getWebhookInfo is asked, nothing is deleted; without a webhook polling goes on."""
    active = {"ok": True, "result": {"url": "https://bot.example.org/s3cret", "pending_update_count": 2}}
    gone = {"ok": True, "result": {"url": "", "pending_update_count": 2}}
    telegram.webhook_questions.side_effect = [httpx.Response(200, json=info) for info in (active, gone)]
    telegram.script(answer, UPDATE)

    assert await poll(10) == [5]
    assert episodes(events)[-1] == ("closed", kind)
    assert "bot.example.org" in [event.detail for event in events if isinstance(event, EpisodeOpened)]


@pytest.mark.slow
async def test_a_webhook_that_stays_brings_empty_answers(
    poll: Poll, telegram: Telegram, events: list[Event]
) -> None:
    """The bot is alive and polls; each call lasts its timeout and brings nothing, until somebody acts."""
    active = {"ok": True, "result": {"url": "https://bot.example.org/s3cret", "pending_update_count": 2}}
    telegram.webhook_questions.respond(json=active)
    telegram.script(WEBHOOK_IS_ACTIVE)

    assert [await poll(1), await poll(1)] == [[], []]
    assert (telegram.polls.call_count, seen(events)) == (1, [Kind.WEBHOOK_ACTIVE])


# Faults between the conflicts


async def test_other_errors_are_the_bots_own_business(
    poll: Poll, telegram: Telegram, events: list[Event]
) -> None:
    """A conflict is dealt with here; a gateway page and a reset go to the bot; the episode stays one."""
    telegram.script(OTHER_POLLER, GATEWAY, OTHER_POLLER, httpx.ReadError("reset"), OTHER_POLLER, UPDATE)

    with pytest.raises(OSError, match=r"502|Bad Gateway|Invalid server response"):
        await poll(10)
    with pytest.raises(OSError, match="reset"):
        await poll(10)

    assert await poll(10) == [5]
    assert (seen(events), episodes(events)) == ([Kind.RIVAL] * 3, [("opened", Kind.RIVAL)])


@pytest.mark.slow
async def test_conflicts_in_a_row_make_no_storm(poll: Poll, telegram: Telegram) -> None:
    """From the third conflict that comes at once, each is followed by a pause of half a second or more."""
    telegram.script(*[OTHER_POLLER] * 20)

    assert await poll(2) == []
    assert telegram.polls.call_count < 8


# Another instance holds the claim


@pytest.mark.slow
async def test_beside_a_peer_telegram_is_not_asked_at_all(
    poll: Poll, telegram: Telegram, events: list[Event], peer_at_work: AtWork
) -> None:
    """So there is no 409 to see: the call lasts its timeout and brings nothing."""
    telegram.script()
    async with peer_at_work():
        assert await poll(1) == []

    assert (telegram.polls.call_count, seen(events)) == (0, [])


@pytest.mark.slow
async def test_when_the_peer_ends_the_same_call_goes_on(
    poll: Poll, telegram: Telegram, peer_at_work: AtWork
) -> None:
    """The call that waited polls, with what is left of its timeout, and brings the updates."""
    telegram.script(UPDATE)
    async with peer_at_work():
        waiting = asyncio.ensure_future(poll(10))
        await asyncio.sleep(0)
    # The peer's cancelled call keeps its claim for a second: it might have called again.

    assert await waiting == [5]
