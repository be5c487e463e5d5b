"""A process with one session in a file store: it does what it is told on stdin, and answers on stdout.

A line in is a JSON list, command and arguments; a line out is `{"answer": ...}`, or `{"change": ...}` from
its watch. It beats by itself until it is told to be `still`. It ends with its stdin.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from onepoller.coordination.errors import OnepollerError, StoreUnavailable
from onepoller.coordination.identity import BotId, SessionId, Term, own_identity
from onepoller.coordination.report import BotReport, Role, pack
from onepoller.coordination.stores.file import FileStore
from onepoller.coordination.stores.seam import Batch, Claim, Session, Swap

BOT = BotId(7000000001)


def say(**line: object) -> None:
    """Write one line."""
    print(json.dumps(line), flush=True)


class Peer:
    """Each public method is a command."""

    def __init__(self, directory: Path, lease: float, busy_limit: float, slow_look: float) -> None:
        self.store = FileStore(directory, lease=lease, busy_limit=busy_limit, slow_look=slow_look)
        self.lease = lease
        self.session: Session | None = None
        self.is_still = False
        self.held: Claim | None = None
        self.tasks: set[asyncio.Task[None]] = set()

    @property
    def own(self) -> Session:
        """The session that is open."""
        assert self.session is not None
        return self.session

    async def open(self) -> SessionId:
        """A new session."""
        self.session = await self.store.open(own_identity())
        return self.session.id

    async def close(self) -> None:
        """Say goodbye."""
        await self.store.close(self.own)

    async def still(self) -> None:
        """Beat no more."""
        self.is_still = True

    async def beat(self, *, confirm: bool = False) -> None:
        """Beat once, with the claim in the report."""
        row = [BotReport(bot_id=BOT, role=Role.POLLING, last_poll=1.0)] if self.held else []
        await self.store.beat(self.own, report=pack(row), confirm=confirm)

    async def take(self, requires_over: str | None = None, bot_id: int = BOT) -> int | None:
        """Take the claim; the term, or None."""
        claim = (await self.store.read([BotId(bot_id)])).claims[BotId(bot_id)]
        mine = replace(claim, holder=self.own.id, term=Term(claim.term + 1), heir=None)
        swap = Swap(claim=mine, requires_over=SessionId(requires_over) if requires_over else None)
        self.held = (await self.store.swap(self.own, Batch(swaps=[swap]))).written.get(mine.bot_id)
        return self.held.term if self.held else None

    async def give(self, heir: str) -> None:
        """Release the claim to another session, and wake it."""
        assert self.held is not None
        free = replace(self.held, holder=None, heir=SessionId(heir))
        await self.store.swap(self.own, Batch(swaps=[Swap(claim=free)], wake=[SessionId(heir)]))
        self.held = None

    async def read(self, bot_id: int = BOT) -> dict[str, Any]:
        """The claim, how its holder is, and the store's trouble."""
        snapshot = await self.store.read([BotId(bot_id)])
        claim = snapshot.claims[BotId(bot_id)]
        liveness = snapshot.sessions[claim.holder].liveness if claim.holder else None
        return {
            "holder": claim.holder,
            "heir": claim.heir,
            "term": claim.term,
            "liveness": liveness,
            "trouble": snapshot.trouble,
        }

    async def status(self) -> str:
        """The trouble that a read of everything tells."""
        return (await self.store.read()).trouble

    async def look(self) -> bool:
        """The look before delivery, for the claim that was taken."""
        assert self.held is not None
        return self.own.has_claim(BOT, self.held.term)

    async def is_late(self) -> bool:
        """Whether the deadline has passed."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) >= self.own.deadline

    async def watch(self) -> None:
        """Tell of changes from now on."""
        started = asyncio.Event()

        async def run() -> None:
            async for change in self.store.watch(self.own):
                if started.is_set():
                    claim = (await self.store.read([BOT])).claims[BOT]
                    say(change=change.session, heir=claim.heir)
                started.set()

        self.spawn(run())
        await started.wait()

    async def stop_inside_write(self) -> None:
        """Be frozen in the middle of a transaction."""
        await self.store._database.write(lambda _: os.kill(os.getpid(), signal.SIGSTOP))

    async def fork(self, task: str = "sleep") -> int:
        """Fork a child that sleeps, or that opens the store for itself and takes the dead parent's claim."""
        parent, own = os.getpid(), self.own.id
        ours, childs = os.pipe()
        child = os.fork()
        if child:
            os.read(ours, 1)  # now it has run its hooks
            return child
        os.write(childs, b"1")
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        while task == "sleep" or os.getppid() == parent:
            time.sleep(0.005)  # noqa: ASYNC251  # nothing else runs in the child
        asyncio.events._set_running_loop(None)  # the parent's, which is not ours
        asyncio.run(self._take_as_child(own))
        os._exit(0)

    async def _take_as_child(self, parent: SessionId) -> None:
        over = self.own.has_claim(BOT, Term(0))
        self.session = await self.store.open(own_identity())
        say(child=await self.take(parent), old=over)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Start something that runs beside the commands."""
        task = asyncio.ensure_future(work)
        self.tasks.add(task)

    async def keep_beating(self) -> None:
        """What an instance does."""
        while True:
            await asyncio.sleep(self.lease / 5)
            if not self.is_still and self.session is not None:
                with suppress(StoreUnavailable):
                    await self.beat()


async def main() -> None:
    """Serve until stdin ends."""
    peer = Peer(Path(sys.argv[1]), *map(float, sys.argv[2:5]))
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    peer.spawn(peer.keep_beating())
    while line := await lines.readline():
        command, *arguments = json.loads(line)
        try:
            say(answer=await getattr(peer, command)(*arguments))
        except OnepollerError as error:
            say(error=type(error).__name__, text=str(error), pid=getattr(error, "pid", None))


if __name__ == "__main__":
    with suppress(BrokenPipeError, KeyboardInterrupt):
        asyncio.run(main())
