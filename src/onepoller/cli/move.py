"""`onepoller move`: from one store to another, without a moment in which both have a poller.

It polls nothing. In the new store it holds each bot, so that the instances that are started there stand by.
In the old one it waits behind everybody else: when the last instance there has let a bot go, it takes the
bot, so that none of them begins again, and lets it go in the new store, with the offset that the old
framework had acknowledged. What it holds a bot with are calls that reach no Telegram.
"""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onepoller.cli.reading import chosen_store
from onepoller.coordination.errors import OnepollerError, StoreUnavailable
from onepoller.coordination.identity import BotId
from onepoller.coordination.stores.choice import Chosen
from onepoller.coordination.stores.seam import Offset
from onepoller.process import OnePoller

LABEL = "onepoller move"
LAST = -1_000_000
"""Its priority: every instance comes before it."""
CALL = 50.0
"""How long one of its calls lasts, seconds."""
ASK_AGAIN = 1.0
"""After a store that did not answer, seconds."""
_KEPT = ("ONEPOLLER_LEASE", "ONEPOLLER_STATE_DIR")
_NOTHING: dict[str, Any] = {"getUpdates": [], "getWebhookInfo": {"url": "", "pending_update_count": 0}}


class NothingToMove(OnepollerError):
    """No bot is polled in the old store, or the new one is the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the command line says."""

    bots: list[int]
    """Empty: all that are polled in the old store."""
    old: str | None
    new: str
    state_dir: Path | None


def run(given: Given) -> int:
    """Move until told to end. The exit code: 0 where all of them had moved by then, else 1."""
    old, new = chosen_store(given.old, given.state_dir), chosen_store(given.new, None)
    if new.name == old.name:
        raise NothingToMove(f"--to must name another store than {old.name}, where the bots are.")
    return asyncio.run(Move(given, old, new).run())


class Move:
    """Some bots on their way from one store to another."""

    def __init__(self, given: Given, old: Chosen, new: Chosen) -> None:
        self._asked = given.bots
        self._old = old
        self._new = new
        self._in_old = _instance(old)
        self._in_new = _instance(new)
        self._asking: set[BotId] = set()
        self._offsets: dict[BotId, Offset | None] = {}
        """How far the last instance in the old store came."""
        self._turn = asyncio.Lock()
        self._moved: set[BotId] = set()

    async def run(self) -> int:
        """Move the bots, and keep them from the old store until SIGTERM or SIGINT."""
        bots = {BotId(bot) for bot in self._asked} or await self._polled()
        me = asyncio.current_task()
        assert me is not None
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, me.cancel)
        try:
            async with asyncio.TaskGroup() as moving:
                for bot_id in sorted(bots):
                    moving.create_task(self._move(bot_id))
        except asyncio.CancelledError:
            _say(f"ended; {len(self._moved)} of {len(bots)} bots have moved")
            return int(len(self._moved) < len(bots))
        finally:
            self._in_new.close()
            self._in_old.close()
        raise AssertionError("unreachable")

    async def _polled(self) -> set[BotId]:
        claims = (await self._old.make().read()).claims
        bots = {bot_id for bot_id, claim in claims.items() if claim.holder is not None}
        if not bots:
            raise NothingToMove(
                f"nobody polls in {self._old.name}: start the instances with the new store, and that is all."
            )
        return bots

    async def _move(self, bot_id: BotId) -> None:
        async with asyncio.TaskGroup() as calls:
            held, left = asyncio.Event(), asyncio.Event()
            holding = calls.create_task(_hold(self._in_new, bot_id, held))
            await held.wait()
            _say(f"bot {bot_id}: held in {self._new.name}; start the instances there, then end the old ones")
            calls.create_task(_hold(self._in_old, bot_id, left))
            await left.wait()
            offset = await self._acknowledged(bot_id)
            holding.cancel()
            await asyncio.wait({holding})
            if offset is not None:
                await self._in_new.get_updates(
                    bot_id, _pretend, timeout=0, offset=offset.value, api_root=offset.api_root
                )
            self._in_new.retire(bot_id)
            self._moved.add(bot_id)
            _say(f"bot {bot_id}: moved; end this command when no old instance can start again")

    async def _acknowledged(self, bot_id: BotId) -> Offset | None:
        """Ask the old store; where thousands are left at once, one question is for all that wait for it."""
        self._asking.add(bot_id)
        async with self._turn:
            while bot_id in self._asking:
                try:
                    claims = (await self._old.make().read(frozenset(self._asking))).claims
                except StoreUnavailable:
                    await asyncio.sleep(ASK_AGAIN)
                    continue
                self._asking.difference_update(claims)
                self._offsets.update((claim.bot_id, claim.offset) for claim in claims.values())
        return self._offsets[bot_id]


def _instance(chosen: Chosen) -> OnePoller:
    """One more in this store, the last in every line. It never sees a rival."""
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return OnePoller(
        store=chosen.make(), label=LABEL, priority=LAST, on_rival="hold", environment=environment
    )


async def _hold(instance: OnePoller, bot_id: BotId, is_ours: asyncio.Event) -> None:
    """Wait for a bot, and hold it from then on."""

    async def call(method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        is_ours.set()
        await asyncio.sleep(parameters.get("timeout", 0))
        return await _pretend(method, parameters)

    while True:
        await instance.get_updates(bot_id, call, timeout=CALL)


async def _pretend(method: str, _parameters: dict[str, Any]) -> dict[str, Any]:
    """What Telegram answers where nothing happens."""
    return {"ok": True, "result": _NOTHING[method]}


def _say(sentence: str) -> None:
    print(sentence, flush=True)
