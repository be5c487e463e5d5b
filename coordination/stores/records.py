"""Claims, wishes, sessions and who they belong to, as the text that stores keep, and back."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from onepoller.coordination.conflict import Kind
from onepoller.coordination.identity import BotId, Identity, SessionId, Term
from onepoller.coordination.stores.seam import Claim, Episode, Offset, Standing, Wish, WishMode


def claim_text(claim: Claim) -> str:
    """A claim as an engine keeps it, in one line."""
    return json.dumps(
        {
            "bot": claim.bot_id,
            "version": claim.version,
            "holder": claim.holder,
            "term": claim.term,
            "since": claim.since,
            "heir": claim.heir,
            "clean": claim.clean,
            "offset": fields_of(claim.offset),
            "episode": fields_of(claim.episode),
            "standing": fields_of(claim.standing),
        },
        separators=(",", ":"),
    )


def claim_of(text: str | bytes) -> Claim:
    """The claim in a text of `claim_text`."""
    kept = json.loads(text)
    return Claim(
        bot_id=BotId(kept["bot"]),
        version=kept["version"],
        holder=kept["holder"],
        term=Term(kept["term"]),
        since=kept["since"],
        heir=kept["heir"],
        clean=kept["clean"],
        offset=offset_of(kept["offset"]),
        episode=episode_of(kept["episode"]),
        standing=standing_of(kept["standing"]),
    )


def wish_text(wish: Wish) -> str:
    """Everything of a wish but its place in the order of arrival."""
    return json.dumps(
        {
            "bot": wish.bot_id,
            "session": wish.session,
            "priority": wish.priority,
            "mode": str(wish.mode),
            "aim": wish.aim,
        },
        separators=(",", ":"),
    )


def wish_of(text: str | bytes, *, since: int) -> Wish:
    """The wish in a text of `wish_text`, with its place in the order of arrival."""
    kept = json.loads(text)
    return Wish(
        bot_id=BotId(kept["bot"]),
        session=SessionId(kept["session"]),
        since=since,
        priority=kept["priority"],
        mode=WishMode(kept["mode"]),
        aim=None if kept["aim"] is None else Term(kept["aim"]),
    )


def identity_text(identity: Identity) -> str:
    """An identity as it is kept."""
    return json.dumps(asdict(identity))


def identity_of(text: str | bytes) -> Identity:
    """The identity in a text of `identity_text`."""
    return Identity(**json.loads(text))


def fields_of(record: Offset | Episode | Standing | None) -> dict[str, Any] | None:
    """A part of a claim, ready for JSON."""
    # Not `asdict`, which copies deeply: 10,000 standings took 0.1 s.
    return {name: getattr(record, name) for name in record.__slots__} if record else None


def offset_of(fields: dict[str, Any] | None) -> Offset | None:
    """The offset with these fields."""
    return Offset(**fields) if fields else None


def episode_of(fields: dict[str, Any] | None) -> Episode | None:
    """The episode with these fields."""
    return Episode(**fields | {"kind": Kind(fields["kind"])}) if fields else None


def standing_of(fields: dict[str, Any] | None) -> Standing | None:
    """The standing with these fields."""
    return Standing(**fields) if fields else None
