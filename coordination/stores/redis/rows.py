"""Claims and wishes as they lie in the hashes on the server, and back.

A claim is `VERSION HOLDER TERM HEIR CLEAN REST`: what the scripts look at stands in front, in plain words,
and the rest is JSON that they pass on. A wish is `SINCE TEXT`, where the text is that of `records.wish_text`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from onepoller.coordination.identity import BotId, SessionId, Term
from onepoller.coordination.stores.records import (
    episode_of,
    fields_of,
    offset_of,
    standing_of,
    wish_of,
)
from onepoller.coordination.stores.seam import Claim, Swap, Wish

NOBODY = "-"
_PLAIN = ",null,null,null]"
"""The rest of a claim without offset, episode and standing, of which there are thousands at once."""


def swap_row(swap: Swap, *, first_term: Term, required: Mapping[SessionId, int]) -> list[object]:
    """A swap as the script takes it. `required`: the numbers by which it knows the sessions to be over."""
    claim = swap.claim
    return [
        str(claim.bot_id),
        str(claim.version),
        str(claim.version + 1),
        claim.holder or NOBODY,
        str(claim.term),
        str(max(claim.term, first_term)),
        f"{claim.heir or NOBODY} {claim.clean:d} {_rest(claim)}",
        0 if swap.requires_over is None else required[swap.requires_over],
    ]


def claim_of(bot_id: BotId, text: str) -> Claim:
    """The claim in a value of the hash of claims."""
    version, holder, term, heir, clean, rest = text.split(" ", 5)
    if rest.endswith(_PLAIN):
        since, offset, episode, standing = float(rest[1 : -len(_PLAIN)]), None, None, None
    else:
        since, offset, episode, standing = json.loads(rest)
    return Claim(
        bot_id=bot_id,
        version=int(version),
        holder=None if holder == NOBODY else SessionId(holder),
        term=Term(int(term)),
        since=since,
        heir=None if heir == NOBODY else SessionId(heir),
        clean=clean == "1",
        offset=offset_of(offset),
        episode=episode_of(episode),
        standing=standing_of(standing),
    )


def placed_wish_of(text: str) -> Wish:
    """The wish in a value of a hash of wishes."""
    since, _, kept = text.partition(" ")
    return wish_of(kept, since=int(since))


def _rest(claim: Claim) -> str:
    if claim.offset is None and claim.episode is None and claim.standing is None:
        return f"[{claim.since!r}{_PLAIN}"
    rest = [claim.since, fields_of(claim.offset), fields_of(claim.episode), fields_of(claim.standing)]
    return json.dumps(rest, separators=(",", ":"))
