"""What the proxy refuses: wrong paths, other bots, too much, too slow, one too many."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import aiohttp
import pytest

from onepoller import SettingsError, SetupError
from onepoller.adapters.proxy import body, sockets
from onepoller.adapters.proxy.server import Place
from tests.e2e.proxy.conftest import BOT, Bench

pytestmark = [pytest.mark.slow, pytest.mark.anyio]


async def exchange(url: str, data: bytes, *, rest: float = 5.0) -> bytes:
    """Send bytes, and read until the connection is closed."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(data)
        await writer.drain()
        async with asyncio.timeout(rest):
            return await reader.read()
    finally:
        writer.close()


async def get(url: str, method: str = "GET") -> tuple[int, Any]:
    """Send a request; gives status and body."""
    async with aiohttp.ClientSession() as session, session.request(method, url) as response:
        text = await response.text()
        return response.status, json.loads(text) if text else ""


NOT_FOUND = {"ok": False, "error_code": 404, "description": "Not Found"}


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/bot/getMe", "/botX/getMe", "/file/x", "/bot7000000001:A"]
)
async def test_a_wrong_path_is_telegrams_own_404(bench: Bench, path: str) -> None:
    """Nothing of it is sent on."""
    proxy = await bench.proxy()
    assert (await get(proxy.url + path), bench.fake.rows()) == ((404, NOT_FOUND), [])


async def test_a_bot_that_is_not_allowed_is_refused(bench: Bench) -> None:
    """It is told which bot; the one that is allowed is served."""
    proxy = await bench.proxy(bots=frozenset({BOT}))
    refused = await get(f"{proxy.url}/bot7000000009:AAH-x/getMe")
    served, _ = await get(f"{proxy.url}/bot{bench.token}/getMe")
    description = "Forbidden: onepoller serves no bot 7000000009 here"
    assert refused == (403, {"ok": False, "error_code": 403, "description": description})
    assert (served, {row.bot_id for row in bench.fake.rows()}) == (200, {BOT})


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "HEAD"])
async def test_another_http_method_is_refused_as_the_server_does(bench: Bench, method: str) -> None:
    """GET and POST are all that there is."""
    proxy = await bench.proxy()
    assert (await get(f"{proxy.url}/bot{bench.token}/getUpdates", method), bench.fake.rows()) == (
        (501, ""),
        [],
    )


async def test_what_is_no_http_is_refused(bench: Bench) -> None:
    """Without a body, without a trace, and the connection ends."""
    proxy = await bench.proxy()
    answer = await exchange(proxy.url, b"\x16\x03\x01 hello\r\n\r\n")
    assert answer.startswith((b"HTTP/1.0 400", b"HTTP/1.1 400"))
    assert b"Content-Length: 0" in answer


async def test_too_many_arguments_are_refused(bench: Bench) -> None:
    """A body that must be looked into may not be larger than what the server takes."""
    proxy = await bench.proxy()
    head = f"POST /bot{bench.token}/getUpdates HTTP/1.1\r\nHost: x\r\n"
    head += f"Content-Length: {body.MOST_ARGUMENTS + 1}\r\n\r\n"
    answer = await exchange(proxy.url, head.encode())
    assert answer.startswith(b"HTTP/1.1 413")


async def test_a_bomb_is_not_unpacked(bench: Bench) -> None:
    """A small body that would become a large one is refused too."""
    proxy = await bench.proxy()
    packed = gzip.compress(b"timeout=1&x=" + b"x" * (body.MOST_ARGUMENTS + 1))
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{proxy.url}/bot{bench.token}/getUpdates", data=packed, headers={"Content-Encoding": "gzip"}
        ) as response,
    ):
        assert (response.status, bench.fake.rows()) == (413, [])


async def test_headers_have_a_limit(bench: Bench) -> None:
    """Too long a field is refused."""
    proxy = await bench.proxy()
    head = (
        f"GET /bot{bench.token}/getMe HTTP/1.1\r\nHost: x\r\nX-Long: {'x' * (sockets.MOST_FIELD + 1)}\r\n\r\n"
    )
    assert (await exchange(proxy.url, head.encode())).startswith(b"HTTP/1.0 400")


@pytest.mark.parametrize("begun", [b"", b"POST /bot"])
async def test_a_request_that_does_not_come_is_not_waited_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    """A connection without the head of a request is closed."""
    monkeypatch.setattr(sockets, "HEAD_LIMIT", 0.2)
    monkeypatch.setattr(sockets, "SWEEP_EVERY", 0.1)
    proxy = await bench.proxy()
    assert await exchange(proxy.url, begun) == b""


async def test_a_body_that_does_not_come_is_not_waited_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half the arguments of a poll are refused after a while."""
    monkeypatch.setattr(body, "READ_LIMIT", 0.2)
    proxy = await bench.proxy()
    head = f"POST /bot{bench.token}/getUpdates HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\ntime"
    answer = await exchange(proxy.url, head.encode())
    assert (answer.startswith(b"HTTP/1.1 408"), bench.fake.rows()) == (True, [])


async def test_an_upload_that_stalls_is_given_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither side is kept waiting by a client that sends no more."""
    monkeypatch.setattr(body, "CHUNK_LIMIT", 0.2)
    proxy = await bench.proxy()
    head = f"POST /bot{bench.token}/sendDocument HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf"
    assert (await exchange(proxy.url, head.encode())).startswith(b"HTTP/1.1 408")


async def test_one_client_too_many_is_told(bench: Bench) -> None:
    """It gets a 503; the one that was there goes on."""
    proxy = await bench.proxy(most=1)
    first, second = bench.client(proxy, "first"), bench.client(proxy, "second")
    assert (await first.call("getMe")).status == 200
    reply = await second.call("getMe")
    assert (reply.status, reply.body["error_code"]) == (503, 503)
    assert (await first.call("getMe")).status == 200


async def test_a_client_may_wait_to_be_asked_for_its_body(bench: Bench) -> None:
    """Expect: 100-continue is answered, as curl wants it."""
    proxy = await bench.proxy()
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{proxy.url}/bot{bench.token}/sendMessage",
            data={"chat_id": "5", "text": "hello"},
            expect100=True,
        ) as response,
    ):
        assert (response.status, [row.text for row in bench.fake.rows()]) == (200, ["hello"])


def test_another_address_needs_its_bots_named() -> None:
    """Nobody opens a proxy to the network by accident."""
    with pytest.raises(SettingsError, match="--allow-bot"):
        Place(host="0.0.0.0", port=0, api_root="https://api.telegram.org")


@pytest.mark.parametrize(
    "root",
    [
        "api.telegram.org",
        "ftp://x",
        "http://user:secret@127.0.0.1",
        "http://",
        "https://x/?a",
        "http://[x",
        "http://x:99999",
    ],
)
def test_an_api_root_is_an_address(root: str) -> None:
    """Of a host, and no more than a path behind it. No password in it: it is printed."""
    with pytest.raises(SettingsError, match="--api-root"):
        Place(host="127.0.0.1", port=0, api_root=root)


async def test_a_taken_port_is_one_sentence(bench: Bench) -> None:
    """It names the address."""
    proxy = await bench.proxy()
    with pytest.raises(SetupError, match="cannot be had"):
        await bench.proxy(port=int(proxy.url.rpartition(":")[2]))
