"""One bot over httpx, which polls while it has the claim or the lock: the same program for every contender.

It is brought to the same resident size as `bot.py`, and has made a request before it waits, as every
framework has: what the first one of a process imports would be most of a takeover. It says `waiting` once it
waits, and after each claim, a moment later, `claimed`, as `bot.py` does. The order `hand over` makes it let
the bot go to whoever waits, and wait again. It ends with its stdin.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
from bot import TOKEN, Tell, ballast, claims, poll, tell_claims
from engine_locks import LOCKS
from programs import say

import onepoller
from onepoller.adapters.transport import AsyncGuardedTransport

AWAY = 0.5
"""Who has let a lock go asks for it again so much later, seconds: others look for it only now and then."""


async def main() -> None:
    """Run the bot until its stdin is closed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--how", required=True, choices=["onepoller", *LOCKS])
    parser.add_argument("--store", required=True)
    parser.add_argument("--directory", required=True, type=Path, help="who shares it runs on one host")
    parser.add_argument("--lease", required=True, type=float)
    parser.add_argument("--url", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--resident", required=True, type=float, metavar="MB")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    api = f"{given.url}/bot{os.environ.pop(TOKEN)}"
    inner = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_keepalive_connections=0))
    options: dict[str, Any] = {"headers": {"X-Poller": given.name}, "timeout": 60, "trust_env": False}
    threading.Thread(target=tell_claims, daemon=True).start()
    poller: onepoller.OnePoller | None = None
    if given.how == "onepoller":
        poller = onepoller.OnePoller(
            store=given.store,
            state_dir=given.directory,
            lease=given.lease,
            listeners=[Tell()],
            environment={},
        )
        client = httpx.AsyncClient(transport=AsyncGuardedTransport(inner, poller), **options)
    else:
        client = httpx.AsyncClient(transport=inner, **options)
    (await client.post(f"{api}/getMe")).raise_for_status()
    _filled = ballast(given.resident)
    if poller is not None:
        threading.Thread(target=_obey, args=(poller.hand_over,), daemon=True).start()
        await poll(client, api)
    lock = LOCKS[given.how](given.store, given.lease)
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    threading.Thread(target=_obey, args=(lambda: loop.call_soon_threadsafe(asked.set),), daemon=True).start()
    while True:
        say(waiting=True)
        await lock.acquire()
        asked.clear()
        claims.put(time.monotonic())
        polling = asyncio.create_task(poll(client, api))
        await asked.wait()
        polling.cancel()
        with suppress(asyncio.CancelledError):
            await polling
        await lock.release()
        await asyncio.sleep(AWAY)


def _obey(hand_over: Any) -> None:
    for line in sys.stdin:
        if line.strip() == "hand over":
            hand_over()
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
