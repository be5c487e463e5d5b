"""A Lease as the API server writes it: what all of our kinds have in common.

`kubectl get lease` shows the standard fields, which are for people and for tools that know Leases. What we go
by lies in one annotation, because a Lease has no room for it.
"""

from __future__ import annotations

import base64
import math
import zlib
from datetime import UTC, datetime
from typing import Any

Body = dict[str, Any]
"""A Lease in JSON."""

RECORD = "onepoller/record"
LONGEST = 240 * 1024
"""All annotations of an object may have 256 KiB together."""
_PLAIN = 4096
_PACKED = "zlib:"


def body(
    name: str,
    *,
    labels: dict[str, str],
    annotations: dict[str, str],
    spec: dict[str, Any],
    before: Body | None = None,
    owner: Body | None = None,
) -> Body:
    """A Lease to create, or to write over the one that was there `before`.

    The uid is sent along: a PUT of a Lease without one would make a deleted Lease anew.
    """
    metadata: dict[str, Any] = {"name": name, "labels": labels, "annotations": annotations}
    if before is not None:
        metadata |= {key: before["metadata"][key] for key in ("uid", "resourceVersion")}
    if owner is not None:
        metadata["ownerReferences"] = [
            {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"],
            }
        ]
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": metadata,
        "spec": {key: value for key, value in spec.items() if value is not None},
    }


def name_of(lease: Body) -> str:
    """Its name."""
    return str(lease["metadata"]["name"])


def version_of(lease: Body) -> str:
    """Its resourceVersion: another one after each write."""
    return str(lease["metadata"]["resourceVersion"])


def label_of(lease: Body, label: str) -> str:
    """One of its labels; empty where it has none."""
    return str((lease["metadata"].get("labels") or {}).get(label, ""))


def annotation_of(lease: Body, annotation: str = RECORD) -> str:
    """One of its annotations; empty where it has none."""
    return str((lease["metadata"].get("annotations") or {}).get(annotation, ""))


def created_at(lease: Body) -> float:
    """When the server made it, by the server's clock: seconds."""
    return datetime.fromisoformat(lease["metadata"]["creationTimestamp"]).timestamp()


def micro_time(wall: float) -> str:
    """A MicroTime: RFC 3339 with six digits."""
    return datetime.fromtimestamp(wall, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def whole_seconds(lease: float) -> int:
    """A Lease's duration, which is a whole number above 0."""
    return max(1, math.ceil(lease))


def packed(text: str) -> str:
    """Text as an annotation: as it is where it is short, so that people can read it."""
    if len(text) <= _PLAIN:
        return text
    return _PACKED + base64.b64encode(zlib.compress(text.encode())).decode()


def unpacked(annotation: str) -> str:
    """The text in an annotation of `packed`."""
    if not annotation.startswith(_PACKED):
        return annotation
    return zlib.decompress(base64.b64decode(annotation[len(_PACKED) :])).decode()
