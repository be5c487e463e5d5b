"""A batch, cut into parts that do not keep the server from others for long, and what each of them did."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import TypeVar

from onepoller.coordination.identity import BotId, Term
from onepoller.coordination.stores.records import wish_text
from onepoller.coordination.stores.redis import rows
from onepoller.coordination.stores.redis.keys import Keys
from onepoller.coordination.stores.redis.line import Command, run
from onepoller.coordination.stores.redis.scripts import SWAP
from onepoller.coordination.stores.redis.session import RedisSession
from onepoller.coordination.stores.seam import Batch, Claim, Swap

_T = TypeVar("_T")
CHUNK = 500
"""So many claims are written in one step: it keeps the server busy for a millisecond."""
KEEP = 24 * 3600 * 1000
"""What a process left behind on the server ends so much after its last beat, milliseconds."""


def command(part: Batch, own: RedisSession, keys: Keys) -> Command:
    """What the server is asked, to write a part in one step."""
    required = {swap.requires_over for swap in part.swaps if swap.requires_over is not None}
    numbers = {session_id: number for number, session_id in enumerate(sorted(required), 1)}
    first_term = own.begun.first_term
    batch = {
        "swaps": [rows.swap_row(swap, first_term=first_term, required=numbers) for swap in part.swaps],
        "wishes": [[str(wish.bot_id), wish_text(wish)] for wish in part.wishes],
        "withdrawn": [str(bot_id) for bot_id in part.withdrawn],
        "wake": [keys.wake(session_id) for session_id in part.wake],
    }
    names = [keys.begun, keys.session(own.id), keys.claims, keys.wishes(own.id)]
    names += [keys.generation, keys.changed, keys.arrivals]
    for session_id in numbers:
        names += [keys.session(session_id), keys.alive(session_id), keys.wishes(session_id)]
    return run(SWAP, names, KEEP, json.dumps(batch, separators=(",", ":")))


def written(part: Batch, told: bytes, *, first_term: Term) -> Iterator[Claim]:
    """The claims as they are, by what the server told of each."""
    for swap, mark in zip(part.swaps, told.decode(), strict=True):
        if mark != "0":
            term = swap.claim.term
            yield swap.claim.written(term if mark == "1" else max(term, first_term))


def parts(batch: Batch) -> list[Batch]:
    """Cut a batch: a bot's swap and its withdrawal go together, and the wake-ups with the last part."""
    swapped = {swap.claim.bot_id for swap in batch.swaps}
    withdrawn = set(batch.withdrawn)
    cut = [
        Batch(
            swaps=swaps or (),
            wishes=wishes or (),
            withdrawn=[*_taken_along(swaps or (), withdrawn), *(others or ())],
        )
        for swaps, wishes, others in zip_longest(
            _chunks(batch.swaps),
            _chunks(batch.wishes),
            _chunks([bot_id for bot_id in batch.withdrawn if bot_id not in swapped]),
        )
    ] or [Batch()]
    return [*cut[:-1], replace(cut[-1], wake=sorted(batch.wake))]


def _taken_along(swaps: Sequence[Swap], withdrawn: set[BotId]) -> list[BotId]:
    return [swap.claim.bot_id for swap in swaps if swap.claim.bot_id in withdrawn]


def _chunks(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    return (items[at : at + CHUNK] for at in range(0, len(items), CHUNK))
