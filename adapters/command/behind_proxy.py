"""Holding the claim for a child whose polls come through a sidecar in this process.

The guard sees those polls, so it does what it does for every caller: 409s, webhooks, offsets, a handover in
the middle of a batch. What is left to do here: to wait for the claim before there is a caller, to start the
child then, and to end it when the claim has gone. The sidecar answers a child without the claim with nothing,
so the child may end after the claim has changed hands, and the batch that it has is acknowledged before.

A child that makes no first poll within `error_limit`, or stops polling, loses the claim by the stall rule: it
is ended, and another one is started when the claim is ours again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from onepoller.adapters.command.tenure import WAIT, Life, through_cancel
from onepoller.coordination import stall
from onepoller.coordination.events import Cause
from onepoller.coordination.guard import Guard
from onepoller.coordination.presence import caller_of
from onepoller.coordination.situation import Called
from onepoller.coordination.wire import Manners


async def hold(guard: Guard, start: Callable[[], Life]) -> int:
    """Live while the claim is ours, wait while it is not; the exit code of the life that ended by itself.

    Cancelled: the child is ended, the claim released. Raises OSError where no child could be started.
    """
    try:
        while True:
            await _claimed(guard)
            _expect_a_call(guard)
            life = start()
            try:
                has_ended = await _outlives_claim(guard, life)
            finally:
                await through_cancel(life.end())
            if has_ended:
                return life.ended.result()
    finally:
        guard.claims.let_go(guard, Cause.STOPPED)


async def _claimed(guard: Guard) -> None:
    """Wait for the claim as a call does."""
    while guard.grant is None:
        guard.apply(Called())
        if not await guard.claims.crossing.result(guard.claims.want(guard), WAIT):
            guard.claims.unwant(guard)


def _expect_a_call(guard: Guard) -> None:
    """From now on there is a caller who is silent for a good reason, and not for ever."""
    now, presence = guard.clocks.monotonic(), guard.presence
    caller = caller_of(asyncio.current_task())
    if presence.enter(caller, now) is None:
        presence.called(caller, now)
        presence.leave(how=stall.CallEnd.ERROR, manners=Manners(), now=now, retry_after=0.0)


async def _outlives_claim(guard: Guard, life: Life) -> bool:
    """Wait for the child's end (true), or for the loss of the claim (false)."""
    while guard.grant is not None and not life.ended.done():
        changed = asyncio.ensure_future(guard.claims.crossing.result(guard.changed, WAIT))
        try:
            await asyncio.wait((life.ended, changed), return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()
    return life.ended.done()
