"""A session's Lease: who it is, that it lives, and what it has done since its last beat."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass, field, replace
from typing import Self

from onepoller.coordination.identity import Identity, SessionId
from onepoller.coordination.stores.kubernetes.body import (
    RECORD,
    Body,
    annotation_of,
    body,
    label_of,
    micro_time,
    whole_seconds,
)
from onepoller.coordination.stores.kubernetes.names import SESSION, SESSIONS, Names
from onepoller.coordination.stores.kubernetes.news import News
from onepoller.coordination.stores.records import identity_of, identity_text

REPORT = "onepoller/report"
INLINE = 16 * 1024
"""A report that is longer gets a Lease of its own: each beat is sent to everybody who watches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLease:
    """What a session's Lease says."""

    id: SessionId
    identity: Identity
    lease: float
    """Seconds, exactly; the standard field has whole ones."""
    is_over: bool = False
    beats: int = 0
    """How often it was written by its owner: changes with each sign of life, and only then."""
    writes: int = 0
    """How many batches it has written: where it changes, claims may have changed."""
    news: News = field(default_factory=News)
    """What is told with this beat."""
    report: bytes = b""
    kept: Body | None = field(default=None, compare=False, repr=False)
    """As the server has it; None: it was never written."""

    @classmethod
    def of(cls, lease: Body) -> Self | None:
        """What a Lease says; None where somebody has spoilt it."""
        try:
            record = json.loads(annotation_of(lease))
            return cls(
                id=SessionId(label_of(lease, SESSION)),
                identity=identity_of(json.dumps(record["identity"])),
                lease=float(record["lease"]),
                is_over=bool(record["over"]),
                beats=int(record["beats"]),
                writes=int(record["writes"]),
                news=News(
                    wake=frozenset(record["wake"]),
                    changed=None if record["changed"] is None else frozenset(record["changed"]),
                ),
                report=report_of(annotation_of(lease, REPORT)),
                kept=lease,
            )
        except (ValueError, KeyError, TypeError):
            return None

    def body(self, names: Names, *, now: float) -> Body:
        """The Lease to create, or to write over the one that was read. `now`: wall clock, for people."""
        record = {
            "identity": json.loads(identity_text(self.identity)),
            "lease": self.lease,
            "over": self.is_over,
            "beats": self.beats,
            "writes": self.writes,
            "wake": sorted(self.news.wake),
            "changed": None if self.news.changed is None else sorted(self.news.changed),
        }
        before = self.kept["spec"] if self.kept is not None else {}
        return body(
            names.session(self.id),
            labels=names.labels(SESSIONS, self.id),
            annotations={RECORD: json.dumps(record), REPORT: report_text(self.report)},
            spec={
                "holderIdentity": "" if self.is_over else self.identity.who,
                "leaseDurationSeconds": whole_seconds(self.lease),
                "acquireTime": before.get("acquireTime", micro_time(now)),
                "renewTime": before["renewTime"] if self.is_over and before else micro_time(now),
            },
            before=self.kept,
        )

    def ended(self) -> SessionLease:
        """The same, over for everybody and for good."""
        return replace(self, is_over=True, news=News(), report=b"")


def report_text(report: bytes) -> str:
    """A report as an annotation."""
    return base64.b64encode(zlib.compress(report)).decode() if report else ""


def report_of(annotation: str) -> bytes:
    """The report in an annotation of `report_text`. Raises ValueError."""
    try:
        return zlib.decompress(base64.b64decode(annotation)) if annotation else b""
    except zlib.error as error:
        raise ValueError("a spoilt report") from error
