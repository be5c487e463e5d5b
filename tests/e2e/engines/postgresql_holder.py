"""A process that holds a claim in a PostgreSQL, and has forked a child that sleeps.

`postgresql_holder.py URL`: prints its session's id and the child's pid in one line, and sleeps.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time

from tests.e2e.engines.postgresql import Process


async def main(url: str) -> None:
    """Hold a claim, fork, sleep."""
    process = await Process(url, lease=3600.0).open()
    await process.take()
    child = os.fork()
    if child == 0:
        time.sleep(3600)  # noqa: ASYNC251  # the child has no loop
    print(process.session.id, child, flush=True)
    await asyncio.sleep(3600)


asyncio.run(main(sys.argv[1]))
