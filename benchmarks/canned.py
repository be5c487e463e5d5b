"""A server that answers every request at once: the same bytes, or a batch with the ids that were asked for.

It knows no rules and reads no more of a request than it must, so that the time of a poll is the client's.
The path says what is wanted: `/batch/...` 100 text messages, everything else no updates.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys

from programs import say

BATCH = 100
_OFFSET = re.compile(rb'offset[="\s:]+(\d+)')
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_FIRST = 700_000_000


class Canned(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._read = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is there as a whole."""
        assert self._transport is not None
        self._read += data
        while b"\r\n\r\n" in self._read:
            head, _, rest = self._read.partition(b"\r\n\r\n")
            found = _LENGTH.search(head)
            length = int(found[1]) if found else 0
            if len(rest) < length:
                return
            self._transport.write(answer(head.partition(b"\r\n")[0], rest[:length]))
            self._read = rest[length:]


def answer(line: bytes, body: bytes) -> bytes:
    """The answer to a request."""
    content = b'{"ok":true,"result":[]}'
    if b"/batch/" in line:
        found = _OFFSET.search(line) or _OFFSET.search(body)
        offset = max(_FIRST, int(found[1])) if found else _FIRST
        content = _TEMPLATE % tuple(range(offset, offset + BATCH))
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


def _template() -> bytes:
    person = {"id": 55_000_001, "is_bot": False, "first_name": "Ada", "username": "ada"}
    chat = {"id": 55_000_001, "first_name": "Ada", "username": "ada", "type": "private"}
    text = "A message of the length that people write, with an emoji \N{WAVING HAND SIGN} in it."
    message = {"message_id": 4711, "from": person, "chat": chat, "date": 1_790_000_000, "text": text}
    update = json.dumps(message, separators=(",", ":")).replace("%", "%%")
    updates = ",\n".join(f'{{"update_id":%d,\n"message":{update}}}' for _ in range(BATCH))
    return f'{{"ok":true,"result":[{updates}]}}'.encode()


_TEMPLATE = _template()


async def main() -> None:
    """Listen until stdin is closed."""
    server = await asyncio.get_running_loop().create_server(Canned, "127.0.0.1", 0)
    say(port=server.sockets[0].getsockname()[1])
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
