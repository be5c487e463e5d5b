"""The answers of an API server that are no success: Status objects, worded as the real ones."""

from __future__ import annotations

from typing import Any

GROUP, RESOURCE = "coordination.k8s.io", "leases"
_MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


class Refused(Exception):
    """A request that is answered with a Status."""

    def __init__(self, code: int, reason: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.status = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code,
        }
        if details:
            self.status["details"] = details


def bad_request(message: str) -> Refused:
    """400."""
    return Refused(400, "BadRequest", message)


def unauthorized() -> Refused:
    """401."""
    return Refused(401, "Unauthorized", "Unauthorized")


def forbidden(user: str, verb: str, namespace: str) -> Refused:
    """403, by RBAC."""
    text = (
        f'{RESOURCE}.{GROUP} is forbidden: User "{user}" cannot {verb} resource "{RESOURCE}" in API group'
        f' "{GROUP}" in the namespace "{namespace}"'
    )
    return Refused(403, "Forbidden", text, group=GROUP, kind=RESOURCE)


def not_found(name: str) -> Refused:
    """404 of one Lease."""
    text = f'{RESOURCE}.{GROUP} "{name}" not found'
    return Refused(404, "NotFound", text, name=name, group=GROUP, kind=RESOURCE)


def no_namespace(namespace: str) -> Refused:
    """404 of a namespace."""
    return Refused(404, "NotFound", f'namespaces "{namespace}" not found', name=namespace, kind="namespaces")


def no_such_path() -> Refused:
    """404 of what is no resource at all."""
    return Refused(404, "NotFound", "the server could not find the requested resource")


def already_exists(name: str) -> Refused:
    """409 of a create."""
    text = f'{RESOURCE}.{GROUP} "{name}" already exists'
    return Refused(409, "AlreadyExists", text, name=name, group=GROUP, kind=RESOURCE)


def conflict(name: str, why: str = _MODIFIED) -> Refused:
    """409 of an update or delete."""
    text = f'Operation cannot be fulfilled on {RESOURCE}.{GROUP} "{name}": {why}'
    return Refused(409, "Conflict", text, name=name, group=GROUP, kind=RESOURCE)


def expired(message: str) -> Refused:
    """410."""
    return Refused(410, "Expired", message)


def invalid(name: str, causes: list[tuple[str, str]]) -> Refused:
    """422: fields and what is wrong with each."""
    text = ", ".join(f"{field}: {what}" for field, what in causes)
    listed = [{"reason": "FieldValueInvalid", "message": what, "field": field} for field, what in causes]
    return Refused(
        422, "Invalid", f'Lease.{GROUP} "{name}" is invalid: {text}', name=name, kind="Lease", causes=listed
    )


def too_many() -> Refused:
    """429, by priority and fairness."""
    return Refused(429, "TooManyRequests", "Too many requests, please try again later.", retryAfterSeconds=1)


def internal() -> Refused:
    """500."""
    return Refused(500, "InternalError", "Internal error occurred: etcdserver: request timed out")
