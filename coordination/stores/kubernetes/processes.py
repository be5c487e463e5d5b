"""The other processes, as their Leases tell of them: sessions, what they wait for, what they report."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from onepoller.coordination.identity import BotId, SessionId
from onepoller.coordination.stores.kubernetes.body import Body, annotation_of, label_of
from onepoller.coordination.stores.kubernetes.client import Client
from onepoller.coordination.stores.kubernetes.names import KIND, SESSION, SESSIONS, WISHES, Names
from onepoller.coordination.stores.kubernetes.observer import Observer
from onepoller.coordination.stores.kubernetes.session_lease import SessionLease, report_of
from onepoller.coordination.stores.kubernetes.together import together
from onepoller.coordination.stores.kubernetes.wishes_lease import wishes_of
from onepoller.coordination.stores.seam import Liveness, SessionRecord, Wish


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one list has brought."""

    sessions: dict[SessionId, SessionLease]
    wishes: dict[BotId, list[Wish]]
    """In order of arrival; of sessions that are not over."""


class Processes:
    """Reads the Leases of processes, and lets the observer see them."""

    def __init__(self, client: Client, names: Names, observer: Observer) -> None:
        self._client = client
        self._names = names
        self._observer = observer

    async def read(self) -> Seen:
        """All sessions and wishes that there are."""
        leases, _ = await self._client.list_all(self._names.processes)
        return self.seen(leases)

    def seen(self, leases: Iterable[Body]) -> Seen:
        """What these Leases say."""
        sessions: dict[SessionId, SessionLease] = {}
        wishes: list[Wish] = []
        for lease in leases:
            kind = label_of(lease, KIND)
            if kind == SESSIONS and (seen := SessionLease.of(lease)) is not None:
                self._observer.see(seen)
                sessions[seen.id] = seen
            elif kind == WISHES:
                wishes += wishes_of(lease)
        by_bot: dict[BotId, list[Wish]] = {}
        for wish in sorted(wishes, key=lambda wish: wish.since):
            if wish.session in sessions and not self._observer.is_over(wish.session):
                by_bot.setdefault(wish.bot_id, []).append(wish)
        return Seen(sessions=sessions, wishes=by_bot)

    async def complete(self, seen: Seen, named: Collection[SessionId]) -> None:
        """Look for sessions that are named and were not there when the list was made."""

        async def look(session_id: SessionId) -> None:
            lease = await self._client.get(self._names.session(session_id))
            if lease is None:
                self._observer.over(session_id)
            elif (found := SessionLease.of(lease)) is not None:
                self._observer.see(found)
                seen.sessions[session_id] = found

        missing = [s for s in named if s not in seen.sessions and not self._observer.is_over(s)]
        await together([look(session_id) for session_id in missing])

    async def add_reports(self, seen: Seen) -> None:
        """Fetch the reports that are too long for the Lease of a session."""
        leases, _ = await self._client.list_all(self._names.reports)
        for lease in leases:
            session = seen.sessions.get(SessionId(label_of(lease, SESSION)))
            if session is not None and not session.report:
                try:
                    report = report_of(annotation_of(lease))
                except ValueError:
                    continue  # somebody has spoilt it
                seen.sessions[session.id] = replace(session, report=report)

    def record(self, seen: SessionLease, *, by_wall_clock: bool) -> SessionRecord:
        """A session for others to see.

        `by_wall_clock`: for people, who look once: a process that looks on goes by what it has seen itself.
        """
        silence = self._observer.silence(seen.id)
        liveness = self._observer.liveness(seen.id)
        if by_wall_clock:
            silence = max(silence, age(seen, now=time.time()))
            if liveness is Liveness.ALIVE and silence >= seen.lease:
                liveness = Liveness.SILENT
        return SessionRecord(
            id=seen.id,
            identity=seen.identity,
            liveness=liveness,
            lease=seen.lease,
            report=seen.report,
            silence=silence,
        )


def age(seen: SessionLease, *, now: float) -> float:
    """Seconds since its last beat by the wall clocks of two hosts, where that is good enough."""
    assert seen.kept is not None
    renewed = datetime.fromisoformat(seen.kept["spec"]["renewTime"]).timestamp()
    return max(0.0, now - renewed)
