"""Every form of a getUpdates that a server understands goes through the guard."""

from __future__ import annotations

import asyncio
import gzip
import json
import time

import aiohttp
import pytest

from tests.e2e.proxy.conftest import Bench

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

FORM = "application/x-www-form-urlencoded"
MULTIPART = 'multipart/form-data; boundary="b"'
PARTS = (
    b'--b\r\nContent-Disposition: form-data; name="timeout"\r\n\r\n1\r\n'
    b'--b\r\nContent-Disposition: form-data; name="method"\r\n\r\ngetUpdates\r\n--b--\r\n'
)
FORMS = {
    "GET, query": ("GET", "getUpdates?timeout=1", "", b""),
    "GET, form in the body": ("GET", "getUpdates", FORM, b"timeout=1"),
    "POST, query": ("POST", "getUpdates?timeout=1", "", b""),
    "POST, form": ("POST", "getUpdates", FORM, b"timeout=1"),
    "POST, JSON": ("POST", "getUpdates", "application/json", b'{"timeout":1}'),
    "POST, JSON with a text": ("POST", "getUpdates", "Application/JSON; charset=utf-8", b'{"timeout":"1"}'),
    "POST, multipart": ("POST", "getUpdates", MULTIPART, PARTS),
    "any letter case": ("POST", "GETupdates", FORM, b"timeout=1"),
    "percent-encoded": ("POST", "get%55pdates", FORM, b"timeout=1"),
    "method in the query": ("GET", "?method=getUpdates&timeout=1", "", b""),
    "method in a form": ("POST", "", FORM, b"method=GetUpdates&timeout=1"),
    "method in JSON": ("POST", "", "application/json", b'{"timeout":1,"method":"getupdates"}'),
    "method in multipart": ("POST", "", MULTIPART, PARTS),
    "method twice, first wins": ("POST", "?method=getUpdates", FORM, b"method=getMe&timeout=1"),
}


async def send(
    url: str, method: str, content_type: str, body: object, **headers: str
) -> tuple[int, bytes, float]:
    """Send one request on a connection of its own; gives status, body and seconds."""
    named = {"Content-Type": content_type} if content_type else {}
    started = time.monotonic()
    async with (
        aiohttp.ClientSession(skip_auto_headers=["Content-Type"]) as session,
        session.request(method, url, data=body, headers=named | headers) as response,
    ):
        return response.status, await response.read(), time.monotonic() - started


async def test_no_form_of_a_poll_slips_past_the_guard(bench: Bench) -> None:
    """Beside a client that polls all of them wait their timeout, and none reaches the server."""
    proxy = await bench.proxy()
    owner = bench.client(proxy, "owner")
    poll = owner.polling()
    await bench.parked("owner")

    async def chunked() -> object:
        for piece in (b"time", b"out=", b"1"):
            yield piece

    url = f"{proxy.url}/bot{bench.token}/"
    calls = [send(url + path, verb, kind, body or None) for verb, path, kind, body in FORMS.values()]
    calls.append(send(f"{url}getUpdates", "POST", FORM, chunked()))
    calls.append(
        send(f"{url}getUpdates", "POST", FORM, gzip.compress(b"timeout=1"), **{"Content-Encoding": "gzip"})
    )
    replies = await asyncio.gather(*calls)
    poll.cancel()
    waited = [(status, body, 1.0 <= seconds < 2.5) for status, body, seconds in replies]
    assert waited == [(200, b'{"ok":true,"result":[]}', True)] * len(replies)
    assert {row.poller for row in bench.polls()} == {"owner"}


@pytest.mark.parametrize("form", FORMS)
async def test_each_form_polls(bench: Bench, form: str) -> None:
    """With the turn each of them is one poll at the server, with the timeout that it asked for."""
    proxy = await bench.proxy()
    method, path, kind, body = FORMS[form]
    status, _, _ = await send(f"{proxy.url}/bot{bench.token}/{path}", method, kind, body or None)
    assert (status, [row.timeout for row in bench.polls()]) == (200, [1])


async def test_a_method_in_a_parameter_is_passed_on(bench: Bench) -> None:
    """Another method than a guarded one is sent on with its body, under the name that was understood."""
    proxy = await bench.proxy()
    body = json.dumps({"method": "sendMessage", "chat_id": 5, "text": "hello"}).encode()
    status, _, _ = await send(f"{proxy.url}/bot{bench.token}/", "POST", "application/json", body)
    (row,) = bench.fake.rows()
    assert (status, row.method, row.text) == (200, "sendmessage", "hello")


async def test_no_method_at_all_is_telegrams_own_404(bench: Bench) -> None:
    """A body that cannot be understood is sent nowhere: the server might read a getUpdates in it."""
    proxy = await bench.proxy()
    body = b'{"method":"getUpdates","timeout":'
    status, answer, _ = await send(f"{proxy.url}/bot{bench.token}/", "POST", "application/json", body)
    assert (status, json.loads(answer)["description"], bench.fake.rows()) == (
        404,
        "Not Found: method not found",
        [],
    )
