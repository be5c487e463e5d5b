"""The Lease with a session's wishes: all in one object that only that session writes, so no two conflict.

The place of a wish in the order of arrival is the resourceVersion that the server gave to the write that
brought it. It is known only afterwards: so a new wish stands there without one, which means "that of this
object", until the session writes again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace

from onepoller.coordination.errors import StoreUnavailable
from onepoller.coordination.identity import BotId, SessionId, Term
from onepoller.coordination.stores.kubernetes.body import (
    LONGEST,
    RECORD,
    Body,
    annotation_of,
    body,
    label_of,
    packed,
    unpacked,
    version_of,
)
from onepoller.coordination.stores.kubernetes.names import SESSION, WISHES, Names
from onepoller.coordination.stores.seam import Wish, WishMode

NEW = 0
"""The place of a wish that has none yet."""


def wishes_body(
    names: Names, session_id: SessionId, wishes: Iterable[Wish], *, before: Body | None, owner: Body
) -> Body:
    """The Lease to write. Raises StoreUnavailable where they are too many for one."""
    rows = [[w.bot_id, w.since, w.priority, str(w.mode), w.aim] for w in wishes]
    text = packed(json.dumps(rows, separators=(",", ":")))
    if len(text) > LONGEST:
        raise StoreUnavailable(
            f"A process cannot wait for {len(rows)} bots in Kubernetes: divide them among several processes."
        )
    return body(
        names.wishes(session_id),
        labels=names.labels(WISHES, session_id),
        annotations={RECORD: text},
        spec={},
        before=before,
        owner=owner,
    )


def wishes_of(lease: Body) -> Iterator[Wish]:
    """The wishes in a Lease; none where somebody has spoilt it."""
    session_id, place = SessionId(label_of(lease, SESSION)), place_of(lease)
    try:
        rows = json.loads(unpacked(annotation_of(lease)) or "[]")
        for bot_id, since, priority, mode, aim in rows:
            yield Wish(
                bot_id=BotId(bot_id),
                session=session_id,
                since=since or place,
                priority=priority,
                mode=WishMode(mode),
                aim=None if aim is None else Term(aim),
            )
    except (ValueError, TypeError):
        return


def place_of(lease: Body) -> int:
    """Where what was new in this write stands in the order of arrival.

    Resource versions of a built-in resource are numbers that grow with each write to the cluster.
    """
    return int(version_of(lease))


def placed(wishes: Iterable[Wish], place: int) -> dict[BotId, Wish]:
    """The same wishes; those that were new have this place now."""
    return {w.bot_id: replace(w, since=w.since or place) for w in wishes}
