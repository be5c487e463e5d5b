"""What a guarded poll costs more than a bare one, in the caller's process.

The same client polls the same server, which answers at once, over one kept connection: bare and guarded in
turn, a block of polls each, in the order bare, guarded, guarded, bare. What is told is the median of the
differences between neighbouring blocks. The guarded side is `OnePoller` as it comes: file store, ledger, log.
Its bots have been polled for as long as a trial takes, as every bot has ten seconds after its start.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from judging import Bar, Rows, added, number
from programs import SECRET, Program
from scale import Scale
from telegram import Bot
from telegram.request import HTTPXRequest

import onepoller
from onepoller.adapters.ptb import GuardedRequest
from onepoller.adapters.transport import AsyncGuardedTransport

POLLS = 20
"""In a block."""
WARM_UP = 20
REPLIES = ("empty", "batch")
LIMIT = 100.0
"""Microseconds."""
Poll = Callable[[], Awaitable[object]]
Side = tuple[Poll, Poll]
"""A poll whose answer takes as long as a trial, and one that is answered at once."""


def run(scale: Scale, seed: int) -> dict[str, Any]:
    """Measure. Times in microseconds."""
    del seed  # nothing is left to chance
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="onepoller-bench-") as folder, Program("canned.py") as server:
        root = f"http://127.0.0.1:{server.hear('port')}"
        with onepoller.OnePoller(state_dir=Path(folder), environment={}) as poller:
            return asyncio.run(_run(scale, root, poller))


async def _run(scale: Scale, root: str, poller: onepoller.OnePoller) -> dict[str, Any]:
    measured: dict[str, Any] = {}
    for client, open_sides in (("httpx transport", _over_httpx), ("python-telegram-bot", _over_ptb)):
        for reply in REPLIES:
            async with AsyncExitStack() as stack:
                sides = [await open_sides(stack, root, reply, which) for which in (None, poller)]
                measured[f"{client}, {reply}"] = await _compare(scale.blocks, *sides)
    return measured


async def _over_httpx(
    stack: AsyncExitStack, root: str, reply: str, poller: onepoller.OnePoller | None
) -> Side:
    inner = httpx.AsyncHTTPTransport()
    transport = inner if poller is None else AsyncGuardedTransport(inner, poller)
    client = await stack.enter_async_context(
        httpx.AsyncClient(transport=transport, timeout=60, trust_env=False)
    )
    token = _token(poller)

    def polling(kind: str) -> Poll:
        url, offset = f"{root}/{kind}/bot{token}/getUpdates", 0

        async def poll() -> object:
            nonlocal offset
            response = await client.post(url, json={"timeout": 50, "offset": offset})
            updates = response.json()["result"]
            if updates:
                offset = updates[-1]["update_id"] + 1
            return updates

        return poll

    return polling("trial"), polling(reply)


async def _over_ptb(stack: AsyncExitStack, root: str, reply: str, poller: onepoller.OnePoller | None) -> Side:
    inner = HTTPXRequest(connection_pool_size=1, httpx_kwargs={"trust_env": False})
    request = inner if poller is None else GuardedRequest(inner, poller)
    await request.initialize()  # not the bot: it would ask getMe of a server that knows nobody
    stack.push_async_callback(request.shutdown)
    token = _token(poller)

    def polling(kind: str) -> Poll:
        bot, offset = Bot(token, base_url=f"{root}/{kind}/bot", get_updates_request=request), 0

        async def poll() -> object:
            nonlocal offset
            updates = await bot.get_updates(offset=offset, timeout=50)
            if updates:
                offset = updates[-1].update_id + 1
            return updates

        return poll

    return polling("trial"), polling(reply)


_bots = itertools.count(4_400_001)


def _token(poller: onepoller.OnePoller | None) -> str:
    return f"{4_400_000 if poller is None else next(_bots)}:{SECRET}"


async def _compare(blocks: int, *of: Side) -> dict[str, float]:
    """Run both sides, the bare one and the guarded one, in turn and compare them."""
    await asyncio.gather(*(trial() for trial, _ in of))
    bare, guarded = (poll for _, poll in of)
    await _block(bare, WARM_UP)
    await _block(guarded, WARM_UP)
    sides: tuple[list[_Block], list[_Block]] = ([], [])
    for turn in range(blocks):
        for side in (0, 1) if turn % 2 == 0 else (1, 0):
            sides[side].append(await _block((bare, guarded)[side], POLLS))
    wall = added(*([block.wall for block in side] for side in sides))
    cpu = added(*([block.cpu for block in side] for side in sides))
    return {name: round(value * 1e6, 2) for name, value in {**wall, "added_cpu": cpu["added"]}.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """Polls in a row: how long each took, and how much of it this thread was at work."""

    wall: list[float]
    cpu: list[float]


async def _block(poll: Poll, count: int) -> _Block:
    gc.collect()  # the garbage of one side is not collected at the cost of the other
    block = _Block(wall=[], cpu=[])
    for _ in range(count):
        started, busy = time.perf_counter(), time.thread_time()
        await poll()
        block.cpu.append(time.thread_time() - busy)
        block.wall.append(time.perf_counter() - started)
    return block


def bars(measured: Mapping[str, Any]) -> list[Bar]:
    """What is promised."""
    return [
        Bar(name=f"added per poll: {what}", limit=LIMIT, measured=of["added"], unit="microseconds")
        for what, of in measured.items()
    ]


def table(measured: Mapping[str, Any]) -> Rows:
    """The numbers, for people."""
    rows: Rows = [("one poll, microseconds", "bare", "guarded", "added", "its quartiles", "added CPU")]
    for what, of in measured.items():
        quartiles = f"{number(of['lower_quartile'])} to {number(of['upper_quartile'])}"
        figures = [number(of[name]) for name in ("bare", "guarded", "added")]
        rows.append((what, *figures, quartiles, number(of["added_cpu"])))
    return rows
