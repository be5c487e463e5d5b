"""The Leases of a fake cluster: one counter of versions for all, and the history that feeds the watches."""

from __future__ import annotations

import asyncio
import copy
import itertools
import uuid
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.e2e.engines.kubernetes_api import rules
from tests.e2e.engines.kubernetes_api.statuses import already_exists, conflict, expired, invalid, not_found

HISTORY = 20_000
"""So many changes are remembered; a watch from before is told 410."""
Key = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True, slots=True)
class Happened:
    """One change: how the Lease was and how it is; None: it was not there."""

    version: int
    namespace: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class Storage:
    """Versions, uids and creation times are given here. One event loop."""

    def __init__(self) -> None:
        self.version = 1000
        """Of the whole cluster: other things are written too."""
        self.leases: dict[Key, dict[str, Any]] = {}
        self.oldest = self.version
        """What happened after this version is remembered."""
        self.changed = asyncio.Event()
        """Set, and made anew, at each change."""
        self._history: deque[Happened] = deque()
        self._continued: dict[str, tuple[int, list[dict[str, Any]]]] = {}
        self._tokens = itertools.count(1)

    def get(self, key: Key) -> dict[str, Any]:
        """One Lease. Raises Refused (404)."""
        if key not in self.leases:
            raise not_found(key[1])
        return self.leases[key]

    def create(self, namespace: str, lease: dict[str, Any]) -> dict[str, Any]:
        """A new Lease. Raises Refused (409, 422)."""
        metadata = lease["metadata"]
        if metadata.pop("resourceVersion", ""):
            raise invalid(
                metadata.get("name", ""), [("metadata.resourceVersion", "must not be set on creation")]
            )
        rules.check(lease)
        key = (namespace, metadata["name"])
        if key in self.leases:
            raise already_exists(key[1])
        now = datetime.now(tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        metadata |= {"namespace": namespace, "uid": str(uuid.uuid4()), "creationTimestamp": now}
        return self._write(key, lease)

    def update(self, key: Key, lease: dict[str, Any]) -> dict[str, Any]:
        """Write over a Lease: a compare-and-swap. Raises Refused (409, 422)."""
        before, metadata = self.leases.get(key), lease["metadata"]
        uid = before["metadata"]["uid"] if before else ""
        if metadata.get("uid", uid) != uid:
            why = f"Precondition failed: UID in precondition: {metadata['uid']}, UID in object meta: {uid}"
            raise conflict(key[1], f"StorageError: invalid object, Code: 4, {why}")
        if before is None:
            # A PUT of a Lease that is not there makes it: AllowCreateOnUpdate.
            metadata.pop("resourceVersion", None)
            return self.create(key[0], lease)
        sent_version = metadata.get("resourceVersion") or ""
        if not sent_version:
            raise invalid(
                key[1], [("metadata.resourceVersion", "Invalid value: 0x0: must be specified for an update")]
            )
        if sent_version != before["metadata"]["resourceVersion"]:
            raise conflict(key[1])
        rules.check(lease)
        kept = {name: before["metadata"][name] for name in ("namespace", "uid", "creationTimestamp")}
        metadata |= kept
        if _bare(lease) == _bare(before):
            return before  # nothing is written, nobody is told, and the version stays
        return self._write(key, lease)

    def delete(self, key: Key, preconditions: dict[str, Any]) -> dict[str, Any]:
        """Delete a Lease, and what it owns. Raises Refused (404, 409)."""
        before = self.get(key)
        for field, wanted in preconditions.items():
            if wanted is not None and before["metadata"][field] != wanted:
                raise conflict(key[1], f"Precondition failed: {field} in precondition: {wanted}")
        del self.leases[key]
        self.version += 1
        self._happened(Happened(self.version, key[0], before, None))
        for other, lease in list(self.leases.items()):
            owners = lease["metadata"].get("ownerReferences") or []
            if other[0] == key[0] and any(owner["uid"] == before["metadata"]["uid"] for owner in owners):
                self.delete(other, {})
        return before

    def page(
        self, namespace: str, selector: rules.Selector, *, limit: int, token: str
    ) -> tuple[list[dict[str, Any]], int, str]:
        """One page of a list, its version, and the token that goes on with it. Raises Refused (410)."""
        if token:
            if token not in self._continued:
                raise expired(
                    "The provided continue parameter is too old to display a consistent list result."
                )
            version, left = self._continued.pop(token)
        else:
            found = [lease for key, lease in sorted(self.leases.items()) if key[0] == namespace]
            version, left = self.version, [lease for lease in found if selector.fits(lease)]
        if not limit or len(left) <= limit:
            return left, version, ""
        token = f"page-{next(self._tokens)}"
        self._continued[token] = (version, left[limit:])
        return left[:limit], version, token

    def since(self, version: int) -> list[Happened]:
        """What has happened after a version. Raises Refused (410)."""
        if version < self.oldest:
            raise expired(f"too old resource version: {version} ({self.oldest})")
        newer = itertools.takewhile(lambda one: one.version > version, reversed(self._history))
        return list(newer)[::-1]

    def forget(self) -> None:
        """Compaction: pages and watches that have begun cannot go on."""
        self._history.clear()
        self._continued.clear()
        self.version += 1
        self.oldest = self.version

    def _write(self, key: Key, lease: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        lease["metadata"]["resourceVersion"] = str(self.version)
        lease["metadata"]["managedFields"] = [
            {"manager": "python-httpx", "operation": "Update", "apiVersion": "coordination.k8s.io/v1"}
        ]
        before, self.leases[key] = self.leases.get(key), lease
        self._happened(Happened(self.version, key[0], before, lease))
        return lease

    def _happened(self, change: Happened) -> None:
        self._history.append(change)
        if len(self._history) > HISTORY:
            self.oldest = self._history.popleft().version
        self.changed.set()
        self.changed = asyncio.Event()


def _bare(lease: dict[str, Any]) -> dict[str, Any]:
    bare = copy.deepcopy(lease)
    for server_made in ("resourceVersion", "managedFields"):
        bare["metadata"].pop(server_made, None)
    return bare
