"""Ending a task of ours without losing the end of our own.

`suppress(CancelledError)` around the wait for a task that was cancelled also takes a cancellation of the one
who waits: whoever ends a session would then wait for ever for a watch that goes on.
"""

from __future__ import annotations

import asyncio
from typing import Any


async def cancel(task: asyncio.Task[Any]) -> None:
    """Cancel a task, and wait until it has ended. Raises what it raises, and our own cancellation."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.result()
