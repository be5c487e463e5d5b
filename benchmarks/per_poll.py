"""What a guarded poll costs more than a bare one, in the caller's process.

The same client polls the same server, which answers at once, over one kept connection: bare and guarded in
turn, poll by poll, in the order bare, guarded, guarded, bare. What is told is the median of the differences
between neighbours: a processor that becomes slower or faster meanwhile does not show. The guarded side is
`OnePoller` as it comes: file store, ledger, log. Its bots have been polled for as long as a trial takes, as
every bot has ten seconds after its start.
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

WARM_UP = 20
TOGETHER = 20
"""After so many pairs the garbage of both is collected."""
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
                measured[f"{client}, {reply}"] = await _compare(scale.poll_pairs, *sides)
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


async def _compare(pairs: int, *of: Side) -> dict[str, float]:
    """Run both sides, the bare one and the guarded one, in turn and compare them."""
    await asyncio.gather(*(trial() for trial, _ in of))
    polls = [poll for _, poll in of]
    for poll in polls:
        for _ in range(WARM_UP):
            await poll()
    wall: tuple[list[float], list[float]] = ([], [])
    cpu: tuple[list[float], list[float]] = ([], [])
    for turn in range(pairs):
        if turn % TOGETHER == 0:
            gc.collect()
        for side in (0, 1) if turn % 2 == 0 else (1, 0):
            started, busy = time.perf_counter(), time.thread_time()
            await polls[side]()
            cpu[side].append(time.thread_time() - busy)
            wall[side].append(time.perf_counter() - started)
    measured = added(*wall) | {"added_cpu": added(*cpu)["added"]}
    return {name: round(value * 1e6, 2) for name, value in measured.items()}


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
