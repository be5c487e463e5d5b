"""A session that a server ends by force, and whose process hears of it later: both poll for a moment."""

from __future__ import annotations

import asyncio

import pytest

from onepoller.coordination import events
from onepoller.coordination.conflict import Kind
from onepoller.coordination.report import Role
from onepoller.coordination.settings import OnRival
from onepoller.coordination.wire import Delivered, Refused, Request
from tests.unit.coordination.bench import G
from tests.unit.coordination.test_instance import BOT, Process
from tests.unit.coordination.test_store_loss import Net, net_test

LATE = 3.0
"""The published server tells a second 409 within so many seconds so much later."""


class Telegram:
    """The newer poll ends the older one. Its clients are two, and whose poll is open is never in doubt."""

    def __init__(self) -> None:
        self.updates = [7]
        self.log: list[tuple[float, str]] = []
        """When each poll came, and whose it was."""
        self._parked: asyncio.Future[None] | None = None
        self._told_at = -LATE

    def serve(self, process: Process) -> None:
        """Answer the polls of this process."""

        async def poll(request: Request) -> Delivered | Refused:
            return await self._poll(process.name, request)

        process.wires[BOT].poll = poll  # type: ignore[method-assign]

    async def _poll(self, name: str, request: Request) -> Delivered | Refused:
        loop = asyncio.get_running_loop()
        self.log.append((loop.time(), name))
        if self._parked is not None:
            late = LATE if loop.time() - self._told_at < LATE else 0.0
            self._told_at = loop.time()
            loop.call_later(late, self._parked.cancel)
        self.updates = [update for update in self.updates if update >= request.offset]
        if self.updates:
            self._parked = None
            return Delivered(update_ids=tuple(self.updates), reply=self.updates)
        parked = self._parked = loop.create_future()
        try:
            await asyncio.wait([parked], timeout=request.timeout)
        finally:
            if self._parked is parked:
                self._parked = None
        if parked.cancelled():
            return Refused(status=409, text=G, reply="409")
        return Delivered(update_ids=(), reply=[])


def episodes(process: Process) -> list[Kind]:
    """What it has told of."""
    return [told.kind for told in process.of(events.EpisodeOpened)]


@pytest.mark.parametrize("on_rival", [OnRival.AUTO, OnRival.YIELD, OnRival.HOLD])
@pytest.mark.parametrize("handler", [0.0, 0.7], ids=["its_poll_is_ended", "it_polls_once_more"])
def test_nobody_leaves_the_bot_to_the_other_one(handler: float, on_rival: OnRival) -> None:
    """The heir polls on, and the former holder stops as soon as it is told; neither calls it a rival."""

    async def body(net: Net) -> None:
        telegram = Telegram()
        a, way_of_a = net.process("a", handler=handler, on_rival=on_rival)
        telegram.serve(a)
        await asyncio.sleep(0.1 if handler else 20.0)
        b, _ = net.process("b", on_rival=on_rival)
        telegram.serve(b)
        await asyncio.sleep(0.3)
        way_of_a.is_deaf = True
        net.server.memory.kill(a.session.id)
        ended_at = net.now()
        await asyncio.sleep(12.0)

        assert (a.role(), b.role()) == (Role.STANDBY, Role.POLLING)
        assert Kind.RIVAL not in episodes(a) + episodes(b)
        late = [name for at, name in telegram.log if at > ended_at + 1.0 + LATE]
        assert set(late) == {"b"}

    net_test(body)
