"""What a 409 means. Pure: texts and what we know go in, a kind comes out.

By the published server the *parked, older* request is answered 409 and the newer one wins, so a 409 says
"somebody polled after me", never "I am the second". A second 409 within 3 s comes 3 s late. The texts are
matched by their stable parts: sources older than 2018 and proxies shorten them.

A second call of our own is no kind of 409: it waits for the first and never reaches Telegram (`OwnOverlap`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The kinds of conflict, also the label values of the metrics."""

    GHOST = "ghost"
    PEER = "peer"
    RIVAL = "rival"
    WEBHOOK_ACTIVE = "webhook_active"
    WEBHOOK_SET = "webhook_set"
    UNKNOWN = "unknown"


WEBHOOK_KINDS = frozenset({Kind.WEBHOOK_ACTIVE, Kind.WEBHOOK_SET})
RIVAL_KINDS = frozenset({Kind.RIVAL, Kind.UNKNOWN})

GHOST_ANSWER = 0.5
"""A ghost's 409 comes at once: within this many seconds of our call."""
TOLD_LATE = 3.5
"""A 409 may be told so long after another poll has come, and a little for the way, seconds."""
GHOST_WINDOW = 55.0
"""A ghost is parked for at most 50 s; a little more for the way. Seconds after the term began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A 409 and what was known when it came."""

    text: str
    elapsed: float
    """Seconds from our call to the answer."""
    holds_claim: bool = True
    store_names_other: bool = False
    """The store names another, living holder."""
    term_age: float = 0.0
    """Seconds since our term began."""
    unclean: bool = False
    """The predecessor in our store did not end its poll, or closed its connection to hand the bot over."""
    unheard: bool = False
    """Our call was ended when the predecessor might not yet have heard that it is one."""
    longest_park: float = 0.0
    """The longest that an earlier call of this term was parked, in seconds."""


def classify(seen: Sighting) -> Kind:
    """Name the kind of a 409 on getUpdates (design, section 5)."""
    text = seen.text.lower()
    if "webhook is active" in text:
        return Kind.WEBHOOK_ACTIVE
    if "terminated by setwebhook" in text:
        return Kind.WEBHOOK_SET
    if not seen.holds_claim or seen.store_names_other:
        return Kind.PEER
    ghost = seen.unheard or (
        seen.unclean
        and seen.elapsed <= GHOST_ANSWER
        and seen.term_age <= GHOST_WINDOW
        and seen.longest_park <= GHOST_ANSWER
    )
    if ghost:
        return Kind.GHOST
    return Kind.RIVAL if "terminated by other getupdates" in text else Kind.UNKNOWN
