"""Requests and answers of etcd's key-value store as its JSON gateway writes them, in base64."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kept:
    """A key as it was read."""

    key: str
    value: bytes
    revision: int
    """Of its last write."""


def coded(key: str) -> str:
    """A key, for a request."""
    return b64encode(key.encode()).decode()


def put(key: str, value: str | bytes, *, lease: int = 0) -> Json:
    """Write a key; with a lease it is gone when that ends."""
    raw = value.encode() if isinstance(value, str) else value
    request = {"key": coded(key), "value": b64encode(raw).decode()}
    return {"request_put": request | {"lease": str(lease)} if lease else request}


def touch(key: str) -> Json:
    """Write a key as it is, with the lease that it has: those who watch it are told."""
    return {"request_put": {"key": coded(key), "ignore_value": True, "ignore_lease": True}}


def get(key: str) -> Json:
    """Read a key."""
    return {"request_range": {"key": coded(key)}}


def get_all(prefix: str, *, after: int = 0, keys_only: bool = False) -> Json:
    """Read all keys with this prefix, or those whose last write came after a revision."""
    request: dict[str, Any] = {"key": coded(prefix), "range_end": coded(end_of(prefix))}
    if after:
        request["min_mod_revision"] = str(after + 1)
    if keys_only:
        request["keys_only"] = True
    return {"request_range": request}


def delete(key: str) -> Json:
    """Delete a key."""
    return {"request_delete_range": {"key": coded(key)}}


def delete_all(prefix: str) -> Json:
    """Delete all keys with this prefix."""
    return {"request_delete_range": {"key": coded(prefix), "range_end": coded(end_of(prefix))}}


def exists(key: str) -> Json:
    """The condition that a key is there."""
    return {"key": coded(key), "target": "VERSION", "result": "GREATER", "version": "0"}


def has_version(key: str, version: int) -> Json:
    """The condition that a key was written so often since it is there; 0: it is not."""
    return {"key": coded(key), "target": "VERSION", "result": "EQUAL", "version": str(version)}


def was_written_at(key: str, revision: int) -> Json:
    """The condition that the last write of a key was this one; 0: it is not there."""
    return {"key": coded(key), "target": "MOD", "result": "EQUAL", "mod_revision": str(revision)}


def txn(compare: Sequence[Json], success: Sequence[Json]) -> Json:
    """Do all of it where all conditions hold, else nothing."""
    return {"compare": compare, "success": success}


def nested(compare: Sequence[Json], success: Sequence[Json]) -> Json:
    """A part of a transaction that depends on conditions of its own."""
    return {"request_txn": txn(compare, success)}


def kept(answer: Json) -> list[Kept]:
    """The keys in the answer of a read."""
    return [
        Kept(key_of(kv), b64decode(kv.get("value", "")), int(kv["mod_revision"]))
        for kv in answer.get("kvs", ())
    ]


def key_of(kv: Json) -> str:
    """The key of an entry, or of an event."""
    return b64decode(kv["key"]).decode()


def end_of(prefix: str) -> str:
    """The first key behind all that begin with a prefix."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)
