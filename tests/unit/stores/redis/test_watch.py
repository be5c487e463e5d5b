"""What a watch looks at by itself."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from redis import exceptions

from onepoller.coordination.identity import SessionId, boot_clock
from onepoller.coordination.stores.engine import Address
from onepoller.coordination.stores.lease import Lease
from onepoller.coordination.stores.redis.beginning import Beginning
from onepoller.coordination.stores.redis.keys import Keys
from onepoller.coordination.stores.redis.line import Command, Line
from onepoller.coordination.stores.redis.lines import Lines
from onepoller.coordination.stores.redis.place import Place
from onepoller.coordination.stores.redis.server import Server
from onepoller.coordination.stores.redis.session import RedisSession
from onepoller.coordination.stores.redis.watch import Watch
from onepoller.coordination.stores.seam import Change

BEGUN = Beginning("1796000000000 run")
REPLIES: dict[Any, Any] = {
    "MGET": [BEGUN.text.encode(), b"7"],
    "SMEMBERS": [b"other"],
    "PTTL": 5000,
    "HMGET": [b"{}", None],
}


class FakeLine:
    """A connection that is closed by the server after so many round trips."""

    server = Server(run=BEGUN.run, trouble="")

    def __init__(self, round_trips: int) -> None:
        self._left = round_trips

    async def ask(self, *commands: Command) -> list[Any]:
        if not self._left:
            raise exceptions.ConnectionError
        self._left -= 1
        return [REPLIES[command[0]] for command in commands]

    async def close(self) -> None:
        pass


def test_a_look_that_is_cut_half_way_misses_nothing() -> None:
    """It is done again on another connection."""

    async def looked() -> list[Change]:
        lines = Lines(Place.of(Address.of("redis://localhost")))
        lines.stay_open()
        lines._idle = [cast("Line", FakeLine(9)), cast("Line", FakeLine(2))]
        watch = Watch(
            RedisSession(SessionId("own"), lease=Lease.of(10.0), begun=BEGUN, sent_at=boot_clock()),
            lines,
            Keys("test"),
            slow_look=1.0,
            limit=5.0,
            check=lambda *_: None,
            spared=(SessionId("lost"), 0.0),
        )
        return await watch._look()

    assert asyncio.run(looked()) == [Change(), Change(session=SessionId("lost"))]
