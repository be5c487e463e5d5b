"""A process that guards many bots and writes its history down; forked by `bots/herd.py worker`.

`NAME STORE UPDATES HISTORY`: a store's URL, the file of all updates, the file to write. SIGUSR1: hand over
about half of what it holds, to whoever waits, so that the claims are spread; SIGTERM: end in good order. The
lease is ONEPOLLER_LEASE.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
from pathlib import Path
from typing import Any

from onepoller import OnePoller
from onepoller.coordination.identity import BotId
from onepoller.coordination.stores.choice import choose
from tests.e2e.bots.saying import say
from tests.e2e.engines.recording import Pen, RecordedStore
from tests.e2e.engines.updates import Updates

TIMEOUT = 5.0
PAUSE = 0.1
"""After an error, seconds."""


class Worker:
    """Polls every bot that there is."""

    def __init__(self, store: str, updates: Path, history: Path) -> None:
        self._updates = Updates(updates)
        self._pen = Pen(history)
        lease = float(os.environ["ONEPOLLER_LEASE"])
        host = history.with_suffix(".host")  # its own: no kernel lock tells the others of its death
        self._store = RecordedStore(choose(store, state_dir=host, lease=lease).make(), self._pen)
        # Who holds is never in doubt here, so nobody looks for rivals before it polls.
        self._poller = OnePoller(store=self._store, on_rival="hold")

    async def run(self) -> None:
        """Poll until told to end."""
        loop = asyncio.get_running_loop()
        polling = [loop.create_task(self._poll(bot)) for bot in self._updates.bots]
        loop.add_signal_handler(signal.SIGUSR1, self._hand_over)
        loop.add_signal_handler(signal.SIGTERM, lambda: [task.cancel() for task in polling])
        say(began=os.getpid())
        await asyncio.wait(polling)
        self._poller.close()

    def _hand_over(self) -> None:
        session = self._store.session
        held = list(session.held) if session is not None else []
        self._poller.instance.hand_over({bot for bot in held if random.random() < 0.5} or held)

    async def _poll(self, bot: int) -> None:
        async def call(method: str, parameters: dict[str, Any]) -> dict[str, Any]:
            assert method == "getUpdates"
            return await self._updates.poll(bot, parameters)

        offset = 0
        while True:
            try:
                reply = await self._poller.get_updates(bot, call, timeout=TIMEOUT, offset=offset)
            except TimeoutError:
                await asyncio.sleep(PAUSE)
                continue
            ids = [update["update_id"] for update in reply["result"]]
            if ids:
                self._pen.write("delivered", bot, *self._store.looks[BotId(bot)], ids)
                offset = ids[-1] + 1


def main(arguments: list[str]) -> None:
    """Be a worker."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(process)d %(levelname)s %(message)s")
    name, store, updates, history = arguments
    os.environ["ONEPOLLER_LABEL"] = name
    asyncio.run(Worker(store, Path(updates), Path(history)).run())
