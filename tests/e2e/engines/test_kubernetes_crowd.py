"""Ten instances stand by for the bots of one that dies: what all of them together ask the API server for."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from onepoller import OnePoller
from onepoller.coordination.identity import BotId
from tests.e2e.engines.kubernetes_api.peers import Namespace, take_many
from tests.e2e.engines.kubernetes_api.server import FakeKubernetes

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.usefixtures("quiet_http")]
BOTS = [BotId(7_000_000_000 + number) for number in range(30)]
STANDBYS = 10
LEASE = 2.0
PATIENCE = 40.0


class Crowd:
    """Instances of this process, each with a thread of its own, and what they poll."""

    def __init__(self, url: str, folder: Path) -> None:
        self.polling: dict[int, set[str]] = {bot_id: set() for bot_id in BOTS}
        self._made = [
            OnePoller(
                store=url, state_dir=folder / str(n), lease=LEASE, label=f"standby {n}", on_rival="hold"
            )
            for n in range(STANDBYS)
        ]
        self.taken = asyncio.Event()

    def loops(self) -> list[asyncio.Task[None]]:
        """One loop for each bot of each instance."""
        return [
            asyncio.create_task(self._loop(poller, n, bot_id))
            for n, poller in enumerate(self._made)
            for bot_id in BOTS
        ]

    async def _loop(self, poller: OnePoller, number: int, bot_id: int) -> None:
        async def call(method: str, parameters: dict[str, Any]) -> dict[str, Any]:
            del method
            self.polling[bot_id].add(f"standby {number}")
            if all(self.polling.values()):
                self.taken.set()
            await asyncio.sleep(parameters.get("timeout") or 0)
            return {"ok": True, "result": []}

        while True:
            await poller.get_updates(bot_id, call, timeout=10)

    async def close(self, loops: list[asyncio.Task[None]]) -> None:
        """End all of them."""
        for loop in loops:
            loop.cancel()
        await asyncio.wait(loops)
        for poller in self._made:
            await asyncio.to_thread(poller.close)


async def test_ten_standbys_do_not_stampede(own_kubernetes_api: FakeKubernetes, tmp_path: Path) -> None:
    """Each bot is taken by one of them; the others read the claims a few times, all in one list."""
    api, bots = own_kubernetes_api, Namespace(own_kubernetes_api, tmp_path, lease=LEASE)

    async def _beat(dead: Any) -> None:
        with suppress(asyncio.CancelledError):
            while True:
                await dead.store.beat(dead.session)
                await asyncio.sleep(LEASE / 3)

    async with bots.peers("dead") as (dead,):
        await take_many(dead, BOTS)
        crowd = Crowd(bots.url, tmp_path)
        beating = asyncio.create_task(_beat(dead))
        loops = crowd.loops()
        await asyncio.to_thread(_wait_for_wishes, api)
        before = api.requests.copy()
        beating.cancel()
        await asyncio.wait_for(crowd.taken.wait(), PATIENCE)
        await asyncio.sleep(2.0)  # slow looks, too
        asked = api.requests - before
        await crowd.close(loops)
    assert {len(pollers) for pollers in crowd.polling.values()} == {1}
    assert asked["create"] == 0
    # A look is a list of processes, and a list of bots or, where few have changed, one request each: 16
    # for each of them on a quiet machine. Who read every bot at every look would send hundreds.
    assert asked["list"] + asked["get"] <= 40 * STANDBYS, asked


def _wait_for_wishes(api: FakeKubernetes) -> None:
    """Wait until each of them has written what it waits for, and is quiet."""
    end = time.monotonic() + PATIENCE
    quiet_since, lists = time.monotonic(), -1
    while time.monotonic() < end:
        waiting = [name for name in api.leases() if "-wishes-" in name]
        if api.requests["list"] != lists:
            quiet_since, lists = time.monotonic(), api.requests["list"]
        if len(waiting) == STANDBYS and time.monotonic() - quiet_since > 1.5:
            return
        time.sleep(0.1)
    raise AssertionError("the standbys did not come to rest")
