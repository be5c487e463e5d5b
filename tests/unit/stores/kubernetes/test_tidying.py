"""Forgetting what dead processes have left on the server takes no beat its time."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import cast

from onepoller.coordination.identity import SessionId
from onepoller.coordination.stores.kubernetes.claims import Claims
from onepoller.coordination.stores.kubernetes.endings import Endings
from onepoller.coordination.stores.kubernetes.observer import Observer
from onepoller.coordination.stores.kubernetes.processes import Processes
from onepoller.coordination.stores.kubernetes.session_lease import SessionLease
from onepoller.coordination.stores.kubernetes.tidying import Tidying
from onepoller.testing.store_contract.rig import identity

A_REQUEST = 0.2


class Server:
    """Sessions that are over; each is forgotten by a request, which takes its time."""

    def __init__(self, count: int) -> None:
        self.now = 100.0
        names = [SessionId(f"{number:016x}") for number in range(count)]
        kept = {"spec": {"renewTime": "2026-01-01T00:00:00.000000+00:00"}}
        self.sessions = {
            name: SessionLease(id=name, identity=identity(), lease=10.0, is_over=True, kept=kept)
            for name in names
        }

    async def read(self) -> SimpleNamespace:
        """Give all that are left."""
        return SimpleNamespace(sessions=dict(self.sessions))

    async def is_named(self, session: SessionId) -> bool:
        """No claim names any."""
        del session
        return False

    async def forget(self, ended: SessionLease) -> None:
        """Remove one."""
        self.now += A_REQUEST
        del self.sessions[ended.id]


def test_it_stops_after_half_a_second_and_goes_on_with_the_next_beat() -> None:
    """However many there are: the beat that it comes with has a lease to keep."""
    server = Server(5)
    observer = Observer(lambda: server.now)
    tidying = Tidying(cast("Processes", server), cast("Claims", server), cast("Endings", server), observer)

    asyncio.run(tidying.tidy())
    left, is_due = len(server.sessions), tidying.is_due
    asyncio.run(tidying.tidy())

    assert (left, is_due) == (2, True)
    assert (len(server.sessions), tidying.is_due) == (0, False)
