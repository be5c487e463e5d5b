"""What an API server demands of a Lease, and what it does with fields that it does not know."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

from tests.e2e.engines.kubernetes_api.statuses import bad_request, invalid

MOST_ANNOTATIONS = 256 * 1024
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_MICRO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)")
_SPEC = {
    "holderIdentity": str,
    "leaseDurationSeconds": int,
    "acquireTime": str,
    "renewTime": str,
    "leaseTransitions": int,
    "strategy": str,
    "preferredHolder": str,
}
_METADATA = {
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "labels",
    "annotations",
    "ownerReferences",
    "creationTimestamp",
    "managedFields",
}


def decoded(sent: Any) -> tuple[dict[str, Any], list[str]]:
    """A Lease as the server understands it, and the fields that it dropped. Raises Refused (400)."""
    if not isinstance(sent, dict):
        raise bad_request("couldn't get version/kind; json parse error")
    if (sent.get("apiVersion"), sent.get("kind")) != ("coordination.k8s.io/v1", "Lease"):
        raise bad_request("the object provided is unrecognized (must be of type Lease)")
    lease = copy.deepcopy(sent)
    metadata, spec = lease.setdefault("metadata", {}), lease.setdefault("spec", {})
    unknown = [key for key in lease if key not in {"apiVersion", "kind", "metadata", "spec"}]
    unknown += [f"metadata.{key}" for key in metadata if key not in _METADATA]
    unknown += [f"spec.{key}" for key in spec if key not in _SPEC]
    for path in unknown:
        *parents, key = path.split(".")
        del (lease[parents[0]] if parents else lease)[key]
    for key, kind in _SPEC.items():
        if spec.get(key) is None:
            spec.pop(key, None)
        elif (why := _misread(key, kind, spec[key])) is not None:
            raise bad_request(f'Lease in version "v1" cannot be handled as a Lease: spec.{key}: {why}')
    for key in ("labels", "annotations"):
        values = metadata.get(key) or {}
        if not all(isinstance(value, str) for value in values.values()):
            raise bad_request(f'Lease in version "v1" cannot be handled as a Lease: metadata.{key}')
    return lease, unknown


def _misread(key: str, kind: type, value: Any) -> str | None:
    if not isinstance(value, kind) or isinstance(value, bool):
        return "json: cannot unmarshal"
    if isinstance(value, int) and not -(2**31) <= value < 2**31:
        return "int32 overflow"
    if key in {"acquireTime", "renewTime"} and not _MICRO_TIME.fullmatch(str(value)):
        return f'parsing time "{value}"'
    return None


def check(lease: dict[str, Any]) -> None:
    """Raise Refused (422) where the Lease is invalid."""
    name = lease["metadata"].get("name") or ""
    wrong = [*_wrong_metadata(name, lease["metadata"]), *_wrong_spec(lease["spec"])]
    if wrong:
        raise invalid(name, wrong)


def _wrong_metadata(name: str, metadata: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if not name:
        yield "metadata.name", "Required value: name or generateName is required"
    elif len(name) > 253 or not _SUBDOMAIN.fullmatch(name):
        yield "metadata.name", f'Invalid value: "{name}": a lowercase RFC 1123 subdomain must consist of'
    for key, value in (metadata.get("labels") or {}).items():
        if not _is_qualified(key):
            yield "metadata.labels", f'Invalid value: "{key}": name part must consist of'
        if len(value) > 63 or not _VALUE.fullmatch(value):
            yield "metadata.labels", f'Invalid value: "{value}": a valid label must be an empty string or'
    yield from _wrong_annotations(metadata.get("annotations") or {})
    for owner in metadata.get("ownerReferences") or []:
        for key in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(key):
                yield f"metadata.ownerReferences.{key}", "Invalid value: must not be empty"


def _wrong_annotations(annotations: dict[str, str]) -> Iterator[tuple[str, str]]:
    for key in annotations:
        if not _is_qualified(key.lower()):
            yield "metadata.annotations", f'Invalid value: "{key}": name part must consist of'
    if sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items()) > MOST_ANNOTATIONS:
        yield "metadata.annotations", f"Too long: may not be more than {MOST_ANNOTATIONS} bytes"


def _wrong_spec(spec: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if spec.get("leaseDurationSeconds", 1) <= 0:
        yield "spec.leaseDurationSeconds", "Invalid value: must be greater than 0"
    if spec.get("leaseTransitions", 0) < 0:
        yield "spec.leaseTransitions", "Invalid value: must be greater than or equal to 0"
    if spec.get("preferredHolder") and not spec.get("strategy"):
        yield "spec.preferredHolder", "Forbidden: may only be specified if `strategy` is defined"


def _is_qualified(key: str) -> bool:
    domain, _, name = key.rpartition("/")
    has_domain = "/" not in key or (len(domain) <= 253 and _SUBDOMAIN.fullmatch(domain) is not None)
    return has_domain and len(name) <= 63 and _QUALIFIED.fullmatch(name) is not None


class Selector:
    """A label selector: requirements of equality, all of which must hold."""

    def __init__(self, text: str) -> None:
        self._wanted: list[tuple[str, bool, str]] = []
        for part in filter(None, text.split(",")):
            found = re.fullmatch(r"([^=!]+)(==|=|!=)([^=!]*)", part)
            if found is None or not _is_qualified(found[1]) or not _VALUE.fullmatch(found[3]):
                raise bad_request(f"unable to parse requirement: {part}")
            self._wanted.append((found[1], found[2] != "!=", found[3]))

    @property
    def is_empty(self) -> bool:
        """Whether it selects everything."""
        return not self._wanted

    def fits(self, lease: dict[str, Any]) -> bool:
        """Whether this Lease is selected; what has no such label is not equal to anything."""
        labels = lease["metadata"].get("labels") or {}
        return all((labels.get(key) == value) is is_equal for key, is_equal, value in self._wanted)
