"""Forgetting sessions that are over: after a day, or when there are many that no claim names."""

from __future__ import annotations

from onepoller.coordination.identity import SessionId
from onepoller.coordination.stores.etcd.gateway import Gateway
from onepoller.coordination.stores.etcd.keys import Keys
from onepoller.coordination.stores.etcd.reading import Known, Reading
from onepoller.coordination.stores.etcd.words import delete_all, has_version, txn

MANY = 8
"""So many may lie there before anybody looks: a program that crashes again and again leaves one each time."""
DAY = 86400.0


async def forget(gateway: Gateway, keys: Keys, reading: Reading) -> None:
    """Look for sessions that nobody needs to know any more, and delete what is known of them."""
    known, alive = await reading.sessions()
    over = {name: of for name, of in known.items() if name not in alive}
    old = {name for name, of in over.items() if gateway.now - of.beaten_at > DAY}
    if len(over) <= MANY and not old:
        return
    named = await _named(over, reading)
    for name in (over.keys() - named) | old:
        is_over = has_version(keys.alive(name), 0)
        await gateway.call("kv/txn", txn([is_over], [delete_all(keys.all_of(name))]))


async def _named(over: dict[SessionId, Known], reading: Reading) -> set[SessionId]:
    claims = (await reading.snapshot(None)).claims.values()
    return {name for claim in claims for name in (claim.holder, claim.heir) if name in over}
