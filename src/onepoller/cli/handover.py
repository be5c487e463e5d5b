"""`onepoller handover`: ask the holder of a bot to hand over to whoever stands by."""

from __future__ import annotations

import asyncio
from pathlib import Path

from onepoller.cli.reading import chosen_store
from onepoller.coordination.errors import OnepollerError
from onepoller.coordination.identity import BotId, own_identity, short_term
from onepoller.coordination.stores.seam import Batch, Claim, Snapshot, Store, Wish, WishMode

LOOK_EVERY = 0.05


class NothingToHandOver(OnepollerError):
    """Nobody holds the bot, nobody waits for it, or it did not happen in time."""


def ask(bot_id: int, *, store: str | None, state_dir: Path | None, timeout: float) -> None:
    """Ask, wait for it, and say who polls now."""
    chosen = chosen_store(store, state_dir)
    asyncio.run(_ask(chosen.make(), BotId(bot_id), timeout))


async def _ask(store: Store, bot_id: BotId, timeout: float) -> None:
    snapshot = await store.read({bot_id})
    claim = snapshot.claims[bot_id]
    if claim.holder is None:
        raise NothingToHandOver(f"nobody polls bot {bot_id} here; see onepoller status")
    if not snapshot.wishes.get(bot_id):
        raise NothingToHandOver(f"nobody stands by for bot {bot_id}; start the second instance first")
    session = await store.open(own_identity(label="onepoller handover"))
    try:
        wish = Wish(bot_id=bot_id, session=session.id, mode=WishMode.HANDOVER, aim=claim.term)
        await store.swap(session, Batch(wishes=[wish], wake={claim.holder}))
        after = await _changed(store, claim, timeout)
    finally:
        await store.close(session)
    now = after.claims[bot_id]
    record = after.sessions.get(now.holder) if now.holder else None
    who = record.identity.who if record else "nobody"
    print(f"bot {bot_id} is polled by {who} now, term {short_term(now.term)}")


async def _changed(store: Store, claim: Claim, timeout: float) -> Snapshot:
    try:
        async with asyncio.timeout(timeout):
            while True:
                snapshot = await store.read({claim.bot_id})
                now = snapshot.claims[claim.bot_id]
                if now.term != claim.term and now.holder is not None:
                    return snapshot
                await asyncio.sleep(LOOK_EVERY)
    except TimeoutError:
        raise NothingToHandOver(
            f"the holder of bot {claim.bot_id} did not hand over within {timeout:g} s; see onepoller status"
        ) from None
