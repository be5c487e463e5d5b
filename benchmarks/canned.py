"""A server that answers every request at once: the same bytes, or a batch with the ids that were asked for.

It knows no rules and reads no more of a request than it must, so that the time of a poll is the client's.
The path says what is wanted: `/batch/...` 100 text messages, `/trial/...` no updates after as long as a trial
takes, `/park/...getUpdates` none, and no answer but to the shorter look of a guard, `/parked` how many of
those are open, `/file/.../BYTES` so many bytes, everything else no updates.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys

from programs import say

BATCH = 100
TRIAL = 8.5
"""A bot whose poll was open for so long is polled as any old one is, seconds."""
LARGE = 1 << 20
"""A larger body is read past: nobody asks what stands in it."""
_OFFSET = re.compile(rb'offset[="\s:]+(\d+)')
_TIMEOUT = re.compile(rb"[?&]timeout=(\d+)")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_FILE = re.compile(rb"GET /file/\S*/(\d+) ")
_FIRST = 700_000_000
_BLOCK = bytes(1 << 16)


class Canned(asyncio.Protocol):
    """One connection. `parked`: those with a poll that is open."""

    def __init__(self, parked: set[Canned]) -> None:
        self._parked = parked
        self._read = b""
        self._transport: asyncio.Transport | None = None
        self._to_skip = 0
        self._to_give = 0
        self._is_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Its poll has ended."""
        del exc
        self._parked.discard(self)

    def data_received(self, data: bytes) -> None:
        """Answer each request that is there as a whole."""
        assert self._transport is not None
        if self._to_skip:
            skipped = min(self._to_skip, len(data))
            self._to_skip -= skipped
            data = data[skipped:]
            if self._to_skip:
                return
            self._transport.write(answer(b"", b""))
        self._read += data
        while b"\r\n\r\n" in self._read:
            head, _, rest = self._read.partition(b"\r\n\r\n")
            found = _LENGTH.search(head)
            length = int(found[1]) if found else 0
            if len(rest) < length:
                if length > LARGE:
                    self._read, self._to_skip = b"", length - len(rest)
                return
            self._read = rest[length:]
            self._serve(head.partition(b"\r\n")[0], rest[:length])

    def pause_writing(self) -> None:
        """The client is slow."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """It takes more."""
        self._is_paused = False
        self._give()

    def _serve(self, line: bytes, body: bytes) -> None:
        assert self._transport is not None
        if b"/park/" in line and b"getUpdates" in line:
            self._parked.add(self)
            if found := _TIMEOUT.search(line):  # a shorter one than the client's own: the guard's
                asyncio.get_running_loop().call_later(int(found[1]), self._unpark)
        elif b"/trial/" in line:
            asyncio.get_running_loop().call_later(TRIAL, self._transport.write, answer(b"", b""))
        elif b"/parked" in line:
            self._transport.write(_with_head(b'{"ok":true,"result":%d}' % len(self._parked)))
        elif found := _FILE.match(line):
            self._to_give = int(found[1])
            self._transport.write(_head(self._to_give))
            self._give()
        else:
            self._transport.write(answer(line, body))

    def _unpark(self) -> None:
        assert self._transport is not None
        if self in self._parked:
            self._parked.discard(self)
            self._transport.write(answer(b"", b""))

    def _give(self) -> None:
        assert self._transport is not None
        while self._to_give and not self._is_paused:
            piece = min(self._to_give, len(_BLOCK))
            self._to_give -= piece
            self._transport.write(_BLOCK[:piece])


def answer(line: bytes, body: bytes) -> bytes:
    """The answer to a request."""
    content = b'{"ok":true,"result":[]}'
    if b"/batch/" in line:
        found = _OFFSET.search(line) or _OFFSET.search(body)
        bot = line.partition(b"/getUpdates")[0]
        # What was confirmed is gone, also for a look with a smaller offset.
        offset = _CONFIRMED[bot] = max(_CONFIRMED.get(bot, _FIRST), int(found[1]) if found else 0)
        content = _TEMPLATE % tuple(range(offset, offset + BATCH))
    return _with_head(content)


def _with_head(content: bytes) -> bytes:
    return _head(len(content)) + content


def _head(length: int) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    return head.encode()


def _template() -> bytes:
    person = {"id": 55_000_001, "is_bot": False, "first_name": "Ada", "username": "ada"}
    chat = {"id": 55_000_001, "first_name": "Ada", "username": "ada", "type": "private"}
    text = "A message of the length that people write, with an emoji \N{WAVING HAND SIGN} in it."
    message = {"message_id": 4711, "from": person, "chat": chat, "date": 1_790_000_000, "text": text}
    update = json.dumps(message, separators=(",", ":")).replace("%", "%%")
    updates = ",".join(f'{{"update_id":%d,\n"message":{update}}}' for _ in range(BATCH))
    return f'{{"ok":true,"result":[{updates}]}}'.encode()


_TEMPLATE = _template()
_CONFIRMED: dict[bytes, int] = {}
"""The lowest update id that each bot's queue holds."""


async def main() -> None:
    """Listen until stdin is closed."""
    parked: set[Canned] = set()
    server = await asyncio.get_running_loop().create_server(
        lambda: Canned(parked), "127.0.0.1", 0, backlog=1024
    )
    say(port=server.sockets[0].getsockname()[1])
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
