"""One bot over httpx, which polls while it holds a lock: the same program for every contender.

It is brought to the same resident size whatever the lock is, because the kernel frees a killed process's
memory before it closes its files. Each request opens a connection of its own, as after a long wait. The
token comes in the environment, where no process list shows it.

It says `waiting` once it waits, and after each claim, a moment later, `claimed`: when it had the claim, on
CLOCK_MONOTONIC. The order `hand over` makes it hand the bot over. It ends with its stdin.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import queue
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
from locks import LOCKS
from programs import say

import onepoller
from onepoller.adapters.transport import AsyncGuardedTransport
from onepoller.coordination import events
from onepoller.coordination.report import Role

TOKEN = "BENCHMARK_TOKEN"
QUIET = 0.05
"""Seconds between a claim and the line that tells of it: nothing is written while the clock runs."""


async def main() -> None:
    """Run the bot until its stdin is closed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--how", required=True, choices=["onepoller", *LOCKS])
    parser.add_argument("--url", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--directory", required=True, type=Path)
    parser.add_argument("--resident", type=float, default=0.0, metavar="MB")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    api = f"{given.url}/bot{os.environ.pop(TOKEN)}"
    inner = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_keepalive_connections=0))
    options: dict[str, Any] = {"headers": {"X-Poller": given.name}, "timeout": 60, "trust_env": False}
    poller: onepoller.OnePoller | None = None
    kept: object = None
    if given.how == "onepoller":
        poller = onepoller.OnePoller(state_dir=given.directory, listeners=[Tell()], environment={})
        client = httpx.AsyncClient(transport=AsyncGuardedTransport(inner, poller), **options)
    else:
        client = httpx.AsyncClient(transport=inner, **options)
    (await client.post(f"{api}/getMe")).raise_for_status()
    filled = ballast(given.resident)
    threading.Thread(target=_obey, args=(poller,), daemon=True).start()
    threading.Thread(target=tell_claims, daemon=True).start()
    if poller is None:
        say(waiting=True)
        kept = await asyncio.to_thread(_locked, given.how, given.directory / "lock")
    await poll(client, api)
    del filled, kept


def _locked(how: str, path: Path) -> object:
    lock = LOCKS[how](path)
    claims.put(time.monotonic())
    return lock


async def poll(client: httpx.AsyncClient, api: str) -> None:
    """Poll for ever."""
    offset = 0
    while True:
        response = await client.post(f"{api}/getUpdates", json={"timeout": 50, "offset": offset})
        for update in response.raise_for_status().json()["result"]:
            offset = update["update_id"] + 1


class Tell:
    """The listener that tells the parent."""

    def __call__(self, event: events.Event, /) -> None:
        """Waiting is told at once, a claim a moment later."""
        match event:
            case events.RoleChanged(role=Role.STANDBY):
                say(waiting=True)
            case events.ClaimChanged(event=events.ClaimEvent.ACQUIRED | events.ClaimEvent.TAKEN_OVER):
                claims.put(time.monotonic())
            case _:
                pass


claims: queue.SimpleQueue[float] = queue.SimpleQueue()
"""When each was had."""


def tell_claims() -> None:
    """Tell the parent of each, for ever."""
    while True:
        at = claims.get()
        time.sleep(QUIET)
        say(claimed=at)


def ballast(megabytes: float) -> bytes:
    """Memory, written to, that brings this process to so many MB resident."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    missing = int(megabytes * 1e6) - pages * os.sysconf("SC_PAGESIZE")
    return b"x" * max(0, missing)


def _obey(poller: onepoller.OnePoller | None) -> None:
    for line in sys.stdin:
        if line.strip() == "hand over" and poller is not None:
            poller.hand_over()
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
