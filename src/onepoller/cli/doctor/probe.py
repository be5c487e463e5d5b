"""The probe: one long poll that shows whether somebody else polls, and costs whoever does one 409.

By the published server a poll that parks throws out the one that is parked, and is thrown out by the next.
Its offset lies between 2 and 999, below every real id: it confirms nothing, and no parked poll has the same.
It carries no allowed_updates, which would change the bot's.
"""

from __future__ import annotations

import random
import time

from onepoller.cli.doctor.evidence import Instance, Probe, ProbeEnd, StoreSeen
from onepoller.cli.doctor.telegram import Refused, Telegram, Unreachable

HELD_BACK = 3.0
"""A second 409 within three seconds comes three seconds late."""


def question(seconds: float, store: StoreSeen) -> str:
    """What a person is asked before it."""
    if store.poller is not None:
        return (
            f"{store.poller.who} of our own polls this bot, as the store knows already. A probe of "
            f"{seconds:.0f} s throws out its poll for a moment, cannot tell it from a rival, and may be "
            "taken by it for one. Probe all the same?"
        )
    return (
        f"A probe waits at Telegram for up to {seconds:.0f} s. Whoever polls this bot is thrown out once "
        "and sees one 409; no update is taken. Probe?"
    )


async def probe(telegram: Telegram, seconds: int) -> Probe:
    """Park one poll."""
    began = time.monotonic()
    offset = random.randint(2, 999)
    try:
        updates = await telegram.ask(
            "getUpdates", extra=seconds + HELD_BACK, offset=offset, limit=1, timeout=seconds
        )
    except Unreachable as error:
        end, text = ProbeEnd.FAILED, str(error)
    except Refused as error:
        is_conflict = error.status == 409 and "webhook" not in error.description.lower()
        end, text = ProbeEnd.CONFLICT if is_conflict else ProbeEnd.FAILED, error.description
    else:
        end, text = ProbeEnd.UPDATES if updates else ProbeEnd.EMPTY, ""
    return Probe(seconds=seconds, end=end, elapsed=time.monotonic() - began, text=text)


def account(made: Probe, poller: Instance | None) -> str:
    """How it ended, and what it cost; `poller`: of our own, if one lives."""
    return f"{_ended(made, is_ours=poller is not None)}{_cost(made, poller)}"


def _ended(made: Probe, *, is_ours: bool) -> str:
    took = f"after {made.elapsed:.1f} s"
    match made.end:
        case ProbeEnd.CONFLICT:
            by = (
                "our own poller came back, which says nothing of others" if is_ours else "somebody else polls"
            )
            return f"thrown out {took}: {by}."
        case ProbeEnd.EMPTY:
            return f"not thrown out in {made.seconds:.0f} s."
        case ProbeEnd.UPDATES:
            return f"answered {took} because updates wait, so it shows nothing. They stay at Telegram."
        case ProbeEnd.FAILED:
            return f"failed {took}: {made.text}."
        case ProbeEnd.SKIPPED:
            return f"not made: {made.text}."


def _cost(made: Probe, poller: Instance | None) -> str:
    if made.end is ProbeEnd.SKIPPED:
        return ""
    if poller is not None:
        return (
            f" It cost {poller.who} one poll at most; a rival that it reports for these seconds was this "
            "probe. No update was taken."
        )
    whom = "that poller" if made.end is ProbeEnd.CONFLICT else "whoever had a poll open when it began"
    return f" It cost {whom} one 409 at most. No update was taken."
