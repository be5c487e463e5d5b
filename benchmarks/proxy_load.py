"""The clients of the proxy benchmark, in a process of their own: bare protocols, no HTTP library.

Orders on stdin, one JSON answer each: `load PORT METHOD CLIENTS SECONDS`, `park PORT FIRST_BOT CLIENTS`,
`leave` (all that are parked; how many had been answered), `upload PORT BYTES`, `download PORT BYTES`. A
client has a bot of its own and sends its next request when the last one has been answered.
"""

from __future__ import annotations

import asyncio
import re
import resource
import sys
import time
from collections.abc import Callable

from judging import percentile
from programs import SECRET, say

FIRST_BOT = 6_000_001
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_BLOCK = bytes(1 << 16)
BODIES = {
    "sendMessage": b'{"chat_id":55000001,"text":"A message of the length that people write, no more."}',
    "getUpdates": b'{"timeout":50,"offset":700000000,"limit":100}',
}
AT_ONCE = 64
"""Clients that are being parked at the same time."""


class Caller(asyncio.Protocol):
    """One client. `answered` is called with each answer's length; what it has of answers is thrown away."""

    def __init__(self, answered: Callable[[Caller, bytes, int], None]) -> None:
        self._answered = answered
        self._head = b""
        self._left: int | None = None
        self._length = 0
        self._may_write = asyncio.Event()
        self._may_write.set()
        self.transport: asyncio.Transport | None = None
        self.sent = 0.0
        self.request = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def call(self) -> None:
        """Send the request."""
        assert self.transport is not None
        self.sent = time.perf_counter()
        self.transport.write(self.request)

    async def send(self, count: int) -> None:
        """Send so many bytes of a body, as fast as they are taken."""
        assert self.transport is not None
        while count:
            piece = min(count, len(_BLOCK))
            self.transport.write(_BLOCK[:piece])
            count -= piece
            await self._may_write.wait()

    def data_received(self, data: bytes) -> None:
        """Count an answer."""
        if self._left is None:
            self._head += data
            head, end, rest = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            found = _LENGTH.search(head)
            assert found is not None, "an answer without a length"
            self._head = head[:12]
            self._length = self._left = int(found[1])
            data = rest
        self._left -= len(data)
        if self._left <= 0:
            status, self._head, self._left = self._head, b"", None
            self._answered(self, status, self._length)

    def pause_writing(self) -> None:
        """The server is slow."""
        self._may_write.clear()

    def resume_writing(self) -> None:
        """It takes more."""
        self._may_write.set()


class Load:
    """So many clients for so many seconds; before that each calls once, so that all is open and claimed."""

    def __init__(self, clients: int) -> None:
        self._clients = clients
        self._idle: list[Caller] = []
        self._all_idle = asyncio.Event()
        self._until = 0.0
        self.samples: list[float] = []
        self.calls = 0
        self.failed = 0

    def answered(self, caller: Caller, status: bytes, _length: int) -> None:
        """Call again, or come to an end."""
        now = time.perf_counter()
        self.calls += 1
        self.samples.append(now - caller.sent)
        self.failed += status[9:12] != b"200"
        if now < self._until:
            caller.call()
            return
        self._idle.append(caller)
        if len(self._idle) == self._clients:
            self._all_idle.set()

    async def run(self, seconds: float) -> dict[str, float]:
        """The measurement; the callers are those that have called once."""
        await self._all_idle.wait()
        callers, self._idle, self.samples = self._idle, [], []
        self._all_idle.clear()
        started = time.perf_counter()
        self._until = started + seconds
        for caller in callers:
            caller.call()
        await self._all_idle.wait()
        took = time.perf_counter() - started
        for caller in callers:
            assert caller.transport is not None
            caller.transport.close()
        return {
            "calls": self.calls,
            "failed": self.failed,
            "per_second": len(self.samples) / took,
            "p50_ms": percentile(self.samples, 50) * 1e3,
            "p99_ms": percentile(self.samples, 99) * 1e3,
        }


def request(method: str, bot_id: int) -> bytes:
    """A request as an HTTP library writes it."""
    body = BODIES[method]
    return (
        f"POST /bot{bot_id}:{SECRET}/{method} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench/1\r\n"
        f"Accept: */*\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


async def _connect(port: int, answered: Callable[[Caller, bytes, int], None]) -> Caller:
    loop = asyncio.get_running_loop()
    return (await loop.create_connection(lambda: Caller(answered), "127.0.0.1", port))[1]


async def _load(port: int, method: str, clients: int, seconds: float) -> dict[str, float]:
    load = Load(clients)
    for number in range(clients):
        caller = await _connect(port, load.answered)
        caller.request = request(method, FIRST_BOT + number)
        caller.call()
    return await load.run(seconds)


async def _park(port: int, bots: range, parked: list[Caller], answers: list[bytes]) -> None:
    """Open so many polls, a few at a time: the backlog of a listening socket is short."""
    coming = iter(bots)

    async def some() -> None:
        for bot_id in coming:
            caller = await _connect(port, lambda _caller, status, _length: answers.append(status))
            caller.request = request("getUpdates", bot_id)
            caller.call()
            parked.append(caller)

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))


async def _stream(port: int, head: str, body: int) -> dict[str, float]:
    """One request with a large body or a large answer."""
    done: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    caller = await _connect(port, lambda _caller, status, _length: done.set_result(status))
    caller.request = head.encode()
    started = time.perf_counter()
    caller.call()
    await caller.send(body)
    status = await done
    assert status.endswith(b"200"), status
    assert caller.transport is not None
    caller.transport.close()
    return {"seconds": time.perf_counter() - started}


def _upload(size: int) -> str:
    path = f"/bot{FIRST_BOT}:{SECRET}/sendDocument"
    kind = "multipart/form-data; boundary=nobody-looks"
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n\r\n"
    )


def _download(size: int) -> str:
    return f"GET /file/bot{FIRST_BOT}:{SECRET}/documents/{size} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


async def main() -> None:
    """Do as told until stdin is closed."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    parked: list[Caller] = []
    answers: list[bytes] = []
    while True:
        match (await asyncio.to_thread(sys.stdin.readline)).split():
            case ["load", port, method, clients, seconds]:
                say(load=await _load(int(port), method, int(clients), float(seconds)))
            case ["park", port, first, clients]:
                await _park(int(port), range(int(first), int(first) + int(clients)), parked, answers)
                say(parked=len(parked))
            case ["leave"]:
                for caller in parked:
                    assert caller.transport is not None
                    caller.transport.abort()
                parked.clear()
                say(answered=len(answers))
                answers.clear()
            case ["upload", port, size]:
                say(streamed=await _stream(int(port), _upload(int(size)), int(size)))
            case ["download", port, size]:
                say(streamed=await _stream(int(port), _download(int(size)), 0))
            case _:
                return


if __name__ == "__main__":
    asyncio.run(main())
