"""Loops over httpx, guarded: which requests are ours, what is sent for them, what comes back."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest

from onepoller import OnePoller
from onepoller.adapters.transport import AsyncGuardedTransport, GuardedTransport
from onepoller.coordination.events import Event, WebhookCallGuarded

BOT = 7000000001
UPDATE = b'{"ok":true,"result":[{"update_id":5}]}'
HOOK = "https://bot.example.org/hook/s3cret"
AtWork = Callable[[], AbstractAsyncContextManager[None]]


class Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that comes in pieces, and knows whether it was closed."""

    def __init__(self, content: bytes) -> None:
        self._pieces = [content[:5], content[5:]]
        self.is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece

    def close(self) -> None:
        self.is_closed = True

    async def aclose(self) -> None:
        self.is_closed = True


class Inner(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """A transport that answers from a script; a method that nobody expected fails the test."""

    def __init__(self, **replies: bytes) -> None:
        self.replies = {
            "getupdates": UPDATE,
            "": UPDATE,
            "getwebhookinfo": b'{"ok":true,"result":{"url":""}}',
            "deletewebhook": b'{"ok":true,"result":true}',
            "setwebhook": b'{"ok":true,"result":true}',
        } | replies
        self.headers: dict[str, str] = {"Content-Type": "application/json"}
        self.status = 200
        self.sent: list[httpx.Request] = []
        self.bodies: list[Body] = []
        self.is_closed = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        self.bodies.append(Body(self.replies[request.url.path.rpartition("/")[2].lower()]))
        return httpx.Response(
            self.status, headers=self.headers, stream=self.bodies[-1], extensions={"http_version": b"HTTP/9"}
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self.handle_request(request)

    def close(self) -> None:
        self.is_closed = True

    async def aclose(self) -> None:
        self.is_closed = True

    @property
    def methods(self) -> list[str]:
        return [request.url.path.rpartition("/")[2] for request in self.sent]


@pytest.fixture
def root(canary: str) -> str:
    """Give the URL of the bot's methods."""
    return f"https://api.telegram.org/bot{canary}"


def call(inner: Inner, poller: OnePoller, url: str, **options: Any) -> httpx.Response:
    """Call one method as a plain synchronous loop would."""
    with httpx.Client(transport=GuardedTransport(inner, poller)) as client:
        return client.post(url, **options)


def told(events: list[Event]) -> list[str]:
    """Give what was told of start-up calls."""
    return [event.answer for event in events if isinstance(event, WebhookCallGuarded)]


# getUpdates


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("getUpdates", {"params": {"offset": "-1", "timeout": "0"}}),
        ("GETUPDATES", {"data": {"offset": "-1", "timeout": "0"}}),
        ("get%55pdates", {"json": {"offset": -1, "timeout": 0}}),
        ("", {"json": {"method": "getUpdates", "offset": -1, "timeout": 0}}),
    ],
    ids=["query", "form", "json", "method in a parameter"],
)
def test_every_way_to_write_get_updates_is_guarded(
    path: str, options: dict[str, Any], poller: OnePoller, root: str
) -> None:
    """It goes out as it came, and its bot is known here then."""
    seen: list[int] = []
    inner = Inner()
    with httpx.Client(transport=GuardedTransport(inner, poller)) as client:
        response = client.post(f"{root}/{path}", **options)
        seen.extend(poller.instance.guards)
        expected = client.build_request("POST", f"{root}/{path}", **options)

    (sent,) = inner.sent
    assert seen == [BOT]
    assert (response.content, sent.url, sent.read()) == (UPDATE, expected.url, expected.read())


def test_what_the_guard_changes_goes_into_the_query_and_the_rest_stays(
    poller: OnePoller, root: str, handed_over: Callable[[str], None]
) -> None:
    """An offset behind the former holder's is raised; the server reads the query first."""
    inner = Inner()
    with httpx.Client(transport=GuardedTransport(inner, poller)) as client:
        client.post(f"{root}/getUpdates")
        handed_over(root.rpartition("/bot")[0])
        client.post(f"{root}/getUpdates?offset=3", json={"timeout": 10}, headers={"X-Own": "1"})

    sent = inner.sent[-1]
    assert (sent.url.query, json.loads(sent.read()), sent.headers["X-Own"]) == (
        b"offset=9&offset=3",
        {"timeout": 10},
        "1",
    )


def test_a_reply_is_handed_on_as_it_came(poller: OnePoller, root: str) -> None:
    """Status, headers, content and extensions; compressed stays compressed on the way to the client."""
    inner = Inner(getupdates=gzip.compress(UPDATE))
    inner.headers |= {"Content-Encoding": "gzip", "X-Served-By": "nginx"}

    response = call(inner, poller, f"{root}/getUpdates", json={"timeout": 10})

    assert (response.status_code, response.headers["X-Served-By"], response.content) == (200, "nginx", UPDATE)
    assert (response.http_version, inner.bodies[0].is_closed) == ("HTTP/9", True)
    assert response.elapsed.total_seconds() > 0


def test_an_error_is_handed_on(poller: OnePoller, root: str) -> None:
    """What is not a conflict is the caller's own business."""
    inner = Inner(getupdates=b"<html>502</html>")
    inner.status = 502

    response = call(inner, poller, f"{root}/getUpdates", json={"timeout": 10})

    assert (response.status_code, response.content) == (502, b"<html>502</html>")


@pytest.mark.slow
@pytest.mark.anyio
async def test_in_standby_nothing_is_sent_and_the_answer_is_an_empty_list(
    poller: OnePoller, root: str, peer_at_work: AtWork
) -> None:
    """A short poll is answered, as JSON, without Telegram."""
    inner = Inner()
    async with peer_at_work(), httpx.AsyncClient(transport=AsyncGuardedTransport(inner, poller)) as client:
        response = await client.get(f"{root}/getUpdates")

    assert (response.json(), response.headers["Content-Type"]) == (
        {"ok": True, "result": []},
        "application/json",
    )
    assert inner.sent == []


@pytest.mark.anyio
async def test_a_stream_can_be_read(poller: OnePoller, root: str) -> None:
    """Whoever reads the reply piece by piece gets it."""
    async with (
        httpx.AsyncClient(transport=AsyncGuardedTransport(Inner(), poller)) as client,
        client.stream("POST", f"{root}/getUpdates", json={"timeout": 10}) as response,
    ):
        assert b"".join([piece async for piece in response.aiter_raw()]) == UPDATE


# Everything else


@pytest.mark.parametrize("path", ["bot{token}/sendPhoto", "file/bot{token}/photos/1.jpg", "health"])
def test_everything_else_is_not_even_read(path: str, poller: OnePoller, canary: str) -> None:
    """An upload streams; the very request goes to the inner transport."""
    inner = Inner(**{"sendphoto": b"{}", "1.jpg": b"", "health": b""})
    pieces = iter([b"a", b"b"])
    request = httpx.Request("POST", "https://api.telegram.org/" + path.format(token=canary), content=pieces)

    GuardedTransport(inner, poller).handle_request(request)

    assert inner.sent[0] is request
    assert list(pieces) == [b"a", b"b"]


# Start-up calls


def test_without_a_webhook_its_deletion_is_answered_here(
    poller: OnePoller, root: str, events: list[Event]
) -> None:
    """Only the read-only question is sent."""
    inner = Inner()

    response = call(inner, poller, f"{root}/deleteWebhook", json={"drop_pending_updates": False})

    assert response.json() == {"ok": True, "result": True, "description": "Webhook is already deleted"}
    assert (inner.methods, inner.sent[0].read(), told(events)) == (
        ["getWebhookInfo"],
        b"",
        ["already_deleted"],
    )


@pytest.mark.parametrize("method", ["deleteWebhook", "setWebhook"])
def test_somebody_elses_webhook_is_not_deleted(method: str, poller: OnePoller, root: str) -> None:
    """A Bot API error says so; setWebhook without a URL is the same thing."""
    inner = Inner(getwebhookinfo=json.dumps({"ok": True, "result": {"url": HOOK}}).encode())

    response = call(inner, poller, f"{root}/{method}")

    assert (response.status_code, response.json()["error_code"], inner.methods) == (
        400,
        400,
        ["getWebhookInfo"],
    )
    assert "bot.example.org" in response.json()["description"]


def test_your_own_webhook_may_go(poller: OnePoller, root: str) -> None:
    """What went through this transport, it may delete."""
    inner = Inner(getwebhookinfo=json.dumps({"ok": True, "result": {"url": HOOK}}).encode())
    with httpx.Client(transport=GuardedTransport(inner, poller)) as client:
        client.post(f"{root}/setWebhook", data={"url": HOOK})
        client.post(f"{root}/deleteWebhook")

    assert inner.methods == ["setWebhook", "getWebhookInfo", "deleteWebhook"]


def test_a_question_that_fails_is_the_answer(poller: OnePoller, root: str) -> None:
    """Nothing is known then, so nothing is deleted."""
    inner = Inner(getwebhookinfo=b"<html>")
    inner.status = 502

    response = call(inner, poller, f"{root}/deleteWebhook")

    assert (response.status_code, response.content, inner.methods) == (502, b"<html>", ["getWebhookInfo"])


def test_a_deletion_while_polling_is_sent(poller: OnePoller, root: str) -> None:
    """It is no start-up call any more: somebody asked for exactly that."""
    inner = Inner()
    with httpx.Client(transport=GuardedTransport(inner, poller)) as client:
        client.post(f"{root}/getUpdates", json={"timeout": 10})
        client.post(f"{root}/deleteWebhook", json={"drop_pending_updates": True})

    assert inner.methods == ["getUpdates", "deleteWebhook"]


@pytest.mark.anyio
async def test_beside_a_peer_updates_are_never_dropped(
    make_poller: Callable[..., OnePoller], root: str, peer_at_work: AtWork
) -> None:
    """The webhook goes, where the switch allows it; the parameter that drops is overruled in the query."""
    inner = Inner(getwebhookinfo=json.dumps({"ok": True, "result": {"url": HOOK}}).encode())
    transport = AsyncGuardedTransport(inner, make_poller(on_webhook="delete"))
    async with peer_at_work(), httpx.AsyncClient(transport=transport) as client:
        await client.post(f"{root}/deleteWebhook", json={"drop_pending_updates": True})

    assert inner.methods == ["getWebhookInfo", "deleteWebhook"]
    assert inner.sent[1].url.query == b"drop_pending_updates=false"


# The end


def test_closing_the_client_releases_the_claim(poller: OnePoller, root: str) -> None:
    """And closes the inner transport."""
    inner = Inner()

    call(inner, poller, f"{root}/getUpdates", json={"timeout": 10})

    assert (poller.instance.guards, inner.is_closed) == ({}, True)


@pytest.mark.anyio
async def test_a_cancelled_call_keeps_the_claim_for_a_moment(poller: OnePoller, root: str) -> None:
    """A plain loop may call again at once: its cancel does not mean that it stops."""

    class Parked(Inner):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            parked.set()
            await asyncio.Event().wait()
            raise AssertionError(request)

    parked = asyncio.Event()
    client = httpx.AsyncClient(transport=AsyncGuardedTransport(Parked(), poller))
    task = asyncio.create_task(client.post(f"{root}/getUpdates", json={"timeout": 10}))
    await parked.wait()
    task.cancel()
    await asyncio.wait((task,))

    assert [bot["role"] for bot in poller.status()["bots"]] == ["polling"]
    await client.aclose()
