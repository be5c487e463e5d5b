"""What is no poll goes through untouched and streaming, in both directions."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Self

import aiohttp
import pytest
from aiohttp import web

from tests.e2e.bots.at_server import Telegram
from tests.e2e.proxy.conftest import BOT, Bench
from tests.e2e.proxy.sidecars import Sidecars

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

PIECE = b"x" * (1 << 20)
MANY = 150
ALLOWED_GROWTH = 40 << 10
"""KiB that a proxy may grow by while 150 MiB pass through it."""
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Origin:
    """A Bot API of a test's own. It counts its connections."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.url = ""
        self.connections: set[object] = set()
        self.requests: list[web.BaseRequest] = []

    async def __aenter__(self) -> Self:
        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            self.connections.add(request.protocol)
            self.requests.append(request)
            return await self._handler(request)

        server = web.Server(handle, handler_cancellation=True, auto_decompress=False)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()


async def pieces(count: int) -> AsyncIterator[bytes]:
    """Give a body of so many MiB."""
    for _ in range(count):
        yield PIECE


def peak(pid: int) -> int:
    """The most memory that a process had so far, KiB."""
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmHWM" in line]
    return int(line.split()[1])


async def size_of(content: aiohttp.StreamReader) -> int:
    """Read to the end; how much it was."""
    return sum([len(piece) async for piece in content.iter_any()])


async def test_uploads_and_downloads_need_no_memory(sidecars: Sidecars, telegram: Telegram) -> None:
    """150 MiB in each direction arrive whole, and the proxy stays as small as it was."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "GET":
            answer = web.StreamResponse(headers={"Content-Length": str(MANY << 20)})
            await answer.prepare(request)
            async for piece in pieces(MANY):
                await answer.write(piece)
            return answer
        return web.Response(text=str(await size_of(request.content)))

    async with Origin(handle) as origin, aiohttp.ClientSession() as session:
        proxy = sidecars.proxy("--api-root", origin.url)
        url = f"{proxy.url}/bot{telegram.token}/sendDocument"
        async with session.post(url, data=pieces(1)) as response:
            assert await response.text() == str(1 << 20)
        before = peak(proxy.process.pid)
        async with session.post(url, data=pieces(MANY)) as response:
            sent = int(await response.text())
        async with session.get(f"{proxy.url}/file/bot{telegram.token}/documents/a%20b.bin") as response:
            got = await size_of(response.content)
            length = response.headers["Content-Length"]
        grown = peak(proxy.process.pid) - before
        targets = [request.raw_path for request in origin.requests[2:]]
    assert (sent, got, length) == (MANY << 20, MANY << 20, str(MANY << 20))
    assert targets == [f"/file/bot{telegram.token}/documents/a%20b.bin"]
    assert grown < ALLOWED_GROWTH


async def test_a_client_that_leaves_ends_its_request_upstream(bench: Bench) -> None:
    """Nobody works for a connection that is closed."""
    begun, ended = asyncio.Event(), asyncio.Event()

    async def handle(_: web.BaseRequest) -> web.StreamResponse:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    async with Origin(handle) as origin:
        client = bench.client(await bench.proxy(api_root=origin.url), "one")
        call = asyncio.create_task(client.call("sendDocument"))
        await begun.wait()
        call.cancel()
        async with asyncio.timeout(5):
            await ended.wait()


async def test_an_upload_is_not_read_faster_than_it_is_taken(bench: Bench) -> None:
    """A server that reads nothing stops the client after some buffers."""
    sent, stopped = 0, asyncio.Event()

    async def handle(_: web.BaseRequest) -> web.StreamResponse:
        await stopped.wait()
        return web.Response(text="done")

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while not stopped.is_set():
            yield PIECE
            sent += 1

    async with Origin(handle) as origin:
        client = bench.client(await bench.proxy(api_root=origin.url), "one")
        call = asyncio.create_task(client.session.post(f"{client.url}/sendDocument", data=endless()))
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.3)
        stopped.set()
        call.cancel()
        await asyncio.wait((call,))
    assert 0 < sent < 32


async def test_headers_of_the_message_pass_and_those_of_the_connection_do_not(bench: Bench) -> None:
    """Nothing is decoded, and what is hop-by-hop ends here."""
    packed = gzip.compress(b'{"ok":true}')

    async def handle(_: web.BaseRequest) -> web.StreamResponse:
        headers = {"Content-Encoding": "gzip", "X-Answer": "yes", "Connection": "x-hop", "X-Hop": "1"}
        return web.Response(status=418, reason="Teapot", body=packed, headers=headers)

    async with Origin(handle) as origin, aiohttp.ClientSession(auto_decompress=False) as session:
        proxy = await bench.proxy(api_root=origin.url)
        headers = {"X-Ask": "1", "X-Own": "1", "Connection": "x-own, keep-alive", "Accept-Encoding": "br"}
        async with session.post(
            f"{proxy.url}/bot{bench.token}/sendMessage?a=b", data=b"{}", headers=headers
        ) as response:
            body = await response.read()
        (request,) = origin.requests
    assert (response.status, response.reason, body) == (418, "Teapot", packed)
    assert ("X-Answer" in response.headers, "X-Hop" in response.headers) == (True, False)
    seen = request.headers
    assert (seen.get("X-Ask"), seen.get("X-Own"), seen.get("Accept-Encoding")) == ("1", None, "br")
    assert (request.host, request.raw_path) == (
        origin.url.removeprefix("http://"),
        f"/bot{bench.token}/sendMessage?a=b",
    )


async def test_connections_to_the_api_are_kept(bench: Bench) -> None:
    """Ten calls, one after the other, need one."""

    async def handle(_: web.BaseRequest) -> web.StreamResponse:
        return web.json_response({"ok": True, "result": True})

    async with Origin(handle) as origin:
        client = bench.client(await bench.proxy(api_root=origin.url), "one")
        for _ in range(10):
            await client.call("sendMessage")
        assert len(origin.connections) == 1


async def test_a_call_is_sent_once(bench: Bench) -> None:
    """A GET may send a message: where its connection breaks, it is not sent again."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if len(origin.requests) > 1:
            assert request.transport is not None
            request.transport.abort()
        return web.json_response({"ok": True, "result": True})

    async with Origin(handle) as origin, aiohttp.ClientSession() as session:
        proxy = await bench.proxy(api_root=origin.url)
        url = f"{proxy.url}/bot{bench.token}/sendMessage?text=hello"
        async with session.get(url) as first, session.get(url) as second:
            seen = (first.status, second.status, len(origin.requests))
    assert seen == (200, 502, 2)


async def test_a_redirect_is_handed_back(bench: Bench) -> None:
    """A token is sent to nobody but the API root."""

    async def handle(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": "http://127.0.0.1:9/elsewhere"})

    async with Origin(handle) as origin, aiohttp.ClientSession() as session:
        proxy = await bench.proxy(api_root=origin.url)
        async with session.get(f"{proxy.url}/file/bot{bench.token}/a.jpg", allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (302, "http://127.0.0.1:9/elsewhere")


async def test_an_answer_that_breaks_off_breaks_off_here_too(bench: Bench) -> None:
    """Half a file is not taken for a whole one."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        answer = web.StreamResponse()
        answer.enable_chunked_encoding()
        await answer.prepare(request)
        await answer.write(PIECE)
        assert request.transport is not None
        request.transport.abort()
        return answer

    async with Origin(handle) as origin, aiohttp.ClientSession() as session:
        proxy = await bench.proxy(api_root=origin.url)
        with pytest.raises(aiohttp.ClientError):
            async with session.get(f"{proxy.url}/file/bot{bench.token}/a.jpg") as response:
                await response.read()


@pytest.mark.parametrize("method", ["getUpdates", "sendMessage"])
@pytest.mark.parametrize(
    ("fault", "status", "description"),
    [
        ("flood_429", 429, "Too Many Requests: retry after 5"),
        ("restart_500", 500, "Internal Server Error: restart"),
        ("unauthorized_401", 401, "Unauthorized"),
        ("logged_out_400", 400, "Logged out"),
        ("json_502", 502, "Bad Gateway"),
        ("close", 502, "Bad Gateway: onepoller cannot reach the Bot API"),
        ("reset", 502, "Bad Gateway: onepoller cannot reach the Bot API"),
    ],
)
async def test_a_fault_is_passed_on(
    bench: Bench, method: str, fault: str, status: int, description: str
) -> None:
    """What the Bot API answers, the client sees; where it answers nothing, a 502 that frameworks wait for."""
    client = bench.client(await bench.proxy(), "one")
    bench.fake.fault(BOT, fault, method=method)
    reply = await client.call(method, timeout=1)
    assert (reply.status, reply.body["error_code"], reply.body["description"]) == (
        status,
        status,
        description,
    )


async def test_a_gateways_page_is_passed_on_as_it_is(bench: Bench) -> None:
    """HTML stays HTML, even for a poll."""
    client = bench.client(await bench.proxy(), "one")
    bench.fake.fault(BOT, "html_502")
    async with client.session.post(f"{client.url}/getUpdates") as response:
        kind, text = response.content_type, await response.text()
    assert (response.status, kind, "502 Bad Gateway" in text) == (502, "text/html", True)
