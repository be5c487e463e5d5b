"""When our data on the server began, by its clock: no term is ever below what that gives.

It is written anew where the server has lost data: the key is gone, it came out of a backup of another
cluster, or a process that lives has seen the server's revision go back. A new beginning is later than the old
one, and claims that came out of a backup are raised to it with their next write. So terms never go back.
"""

from __future__ import annotations

import json
from typing import Any

from onepoller.coordination.identity import Term, first_term
from onepoller.coordination.stores.etcd.gateway import Gateway
from onepoller.coordination.stores.etcd.keys import Keys
from onepoller.coordination.stores.etcd.words import get, kept, put, txn, was_written_at

_STEP = 0.001
"""The smallest step of `first_term`, seconds."""


class Beginning:
    """What this process knows of it."""

    def __init__(self, gateway: Gateway, keys: Keys) -> None:
        self._gateway = gateway
        self._keys = keys
        self._known = 0.0
        self._losses = 0

    async def found(self) -> tuple[Term, int]:
        """The first term, and the revision that it was written at; made where there is none that holds."""
        while True:
            answer = await self._gateway.call("kv/txn", txn([], [get(self._keys.beginning)]))
            losses = self._gateway.losses
            there = kept(answer["responses"][0]["response_range"])
            record: dict[str, Any] = json.loads(there[0].value) if there else {"at": 0.0, "cluster": ""}
            revision = there[0].revision if there else 0
            is_older = losses > self._losses and record["at"] <= self._known
            if record["cluster"] == self._gateway.cluster and not is_older:
                self._known, self._losses = record["at"], losses
                return first_term(record["at"]), revision
            at = max(self._gateway.now, self._known + _STEP, record["at"] + _STEP)
            text = json.dumps({"at": at, "cluster": self._gateway.cluster})
            is_unchanged = was_written_at(self._keys.beginning, revision)
            await self._gateway.call("kv/txn", txn([is_unchanged], [put(self._keys.beginning, text)]))
