"""Many bots in one process, without sockets: each call sleeps for its timeout and brings nothing.

Idle is looked at twice: while all calls sleep, and while they end and begin at their steady rate. So every
bot's first call has a timeout of its own, beyond the first look; after it they come evenly, each bot once in
50 s. `--bare` is the same loop without onepoller. Moments are CLOCK_MONOTONIC.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import random
import sys
import threading
import time
from pathlib import Path
from typing import Any

from programs import say

import onepoller
from onepoller.coordination import events
from onepoller.coordination.report import Role

FIRST_BOT = 5_000_001
TIMEOUT = 50.0
QUIET = 30.0
"""Seconds after the start in which no call ends."""
SETTLE = 3.0
"""Seconds between the last of what a start or a takeover brings, and the first look at an idle process."""


class Counts:
    """How many bots have come how far, and when the last one did."""

    def __init__(self, bots: int) -> None:
        self.bots = bots
        self.ended = 0
        """Calls of the loop that have come back."""
        self._claimed = 0
        self._claimed_at = 0.0
        self._standing = 0
        self._polled: set[int] = set()
        self._polled_at = 0.0
        self._lock = threading.Lock()

    def __call__(self, event: events.Event, /) -> None:
        """The listener."""
        match event:
            case events.ClaimChanged(event=events.ClaimEvent.ACQUIRED | events.ClaimEvent.TAKEN_OVER):
                self._claimed_at = time.monotonic()
                self._count(claimed=1)
            case events.RoleChanged(role=Role.STANDBY):
                self._standing += 1
                if self._standing == self.bots:
                    say(standing_by=time.monotonic())
            case _:
                pass

    def polled(self, bot_id: int) -> None:
        """A bot's call was made."""
        if len(self._polled) < self.bots:
            self._polled.add(bot_id)
            if len(self._polled) == self.bots:
                self._polled_at = time.monotonic()
                self._count()

    def _count(self, claimed: int = 0) -> None:
        # Told once for all. The runner's thread tells of a claim, perhaps after its bot has polled.
        with self._lock:
            self._claimed += claimed
            if self._polled_at and self._claimed >= self.bots:
                say(polling={"last_claim": self._claimed_at, "last_poll": self._polled_at})
                self._polled_at = 0.0


async def main() -> None:
    """Run until stdin is closed; `idle SECONDS SECONDS` on it asks for the two looks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bots", type=int, required=True)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--store")
    parser.add_argument("--lease", type=float)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--bare", action="store_true")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    counts = Counts(given.bots)
    poller = onepoller.OnePoller(
        store=given.store, state_dir=given.directory, lease=given.lease, listeners=[counts], environment={}
    )
    chance = random.Random(given.seed)
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(orders), os.fdopen(0, "rb", buffering=0)
    )
    started = time.monotonic()
    say(starting=started)
    bots = [
        asyncio.create_task(
            _poll(bot_id, poller, counts, QUIET + chance.uniform(0, TIMEOUT), is_bare=given.bare)
        )
        for bot_id in range(FIRST_BOT, FIRST_BOT + given.bots)
    ]
    while order := await orders.readline():
        quiet, steady = map(float, order.split()[1:])
        await asyncio.sleep(SETTLE)
        idle = await _look(counts, quiet)
        if steady:
            await asyncio.sleep(started + QUIET + 1 - time.monotonic())
            idle["steady"] = await _look(counts, steady)
        say(idle=idle)
    del bots
    os._exit(0)


async def _poll(
    bot_id: int, poller: onepoller.OnePoller, counts: Counts, first: float, *, is_bare: bool
) -> None:
    async def call(_method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        counts.polled(bot_id)
        await asyncio.sleep(parameters["timeout"])
        return {"ok": True, "result": []}

    timeout = first
    while True:
        if is_bare:
            await call("getUpdates", {"timeout": timeout})
        else:
            await poller.get_updates(bot_id, call, timeout=timeout)
        counts.ended += 1
        timeout = TIMEOUT


async def _look(counts: Counts, seconds: float) -> dict[str, Any]:
    """What this process costs for so many seconds, and how many calls have ended in them."""
    started, cpu, calls = time.monotonic(), time.process_time(), counts.ended
    await asyncio.sleep(seconds)
    share = (time.process_time() - cpu) / (time.monotonic() - started)
    return {
        "cpu_percent": round(share * 100, 3),
        "calls_a_second": round((counts.ended - calls) / seconds, 1),
        **_sizes(),
    }


def _sizes() -> dict[str, int]:
    me = Path("/proc/self")
    pages = int((me / "statm").read_text(encoding="ascii").split()[1])
    return {
        "threads": len(list((me / "task").iterdir())),
        "descriptors": len(list((me / "fd").iterdir())) - 1,  # the one that lists them
        "resident_kb": pages * os.sysconf("SC_PAGESIZE") // 1024,
    }


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
