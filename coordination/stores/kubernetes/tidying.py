"""What is left on the server of processes that are gone, and how it goes.

A session that has been silent for long is ended, whether it held anything or not; one that is over is
forgotten when no claim names it any more, or after a day.
"""

from __future__ import annotations

import time

from onepoller.coordination.stores.kubernetes.claims import Claims
from onepoller.coordination.stores.kubernetes.endings import Endings
from onepoller.coordination.stores.kubernetes.observer import Observer
from onepoller.coordination.stores.kubernetes.processes import Processes, age
from onepoller.coordination.stores.kubernetes.session_lease import SessionLease

TIDY_EVERY = 600.0
"""Seconds; each process does it, and at its start."""
TIDY_FOR = 0.5
"""Seconds of a beat or a start that it may take; then the next beat goes on with it."""
SILENT_FOR = 600.0
NAMED_FOR = 86400.0
"""By the wall clocks of two hosts, which does no harm: a session that is missing is over, too."""


class Tidying:
    """Forgets sessions."""

    def __init__(self, processes: Processes, claims: Claims, endings: Endings, observer: Observer) -> None:
        self._processes = processes
        self._claims = claims
        self._endings = endings
        self._observer = observer
        self._due = 0.0

    @property
    def is_due(self) -> bool:
        """Whether it is time again."""
        return self._observer.now() >= self._due

    async def tidy(self) -> None:
        """End and forget what can be in a short time. Raises what its requests raise."""
        now = self._observer.now
        self._due = now() + TIDY_EVERY
        end = now() + TIDY_FOR
        for session in (await self._processes.read()).sessions.values():
            if now() >= end:
                self._due = end
                return
            if session.is_over:
                await self._forget(session)
            elif self._observer.silence(session.id) >= max(SILENT_FOR, session.lease):
                await self._endings.is_over(session.id)

    async def _forget(self, ended: SessionLease) -> None:
        if age(ended, now=time.time()) >= NAMED_FOR or not await self._claims.is_named(ended.id):
            await self._endings.forget(ended)
