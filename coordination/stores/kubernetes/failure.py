"""What can go wrong with a request, as one sentence that says what to do.

A server's own words are never repeated: they may hold anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from onepoller.coordination.errors import OnepollerError, SetupError, StoreUnavailable, StoreUnfit

RIGHTS = "deploy/kubernetes/rbac.yaml"


class Conflict(OnepollerError):
    """409: another write came first, or the Lease exists already, or is no longer the same one.

    `may_be_ours`: the request was sent twice, and the write that came first may have been its own.
    """

    def __init__(self, *, may_be_ours: bool = False) -> None:
        super().__init__()
        self.may_be_ours = may_be_ours


class Missing(OnepollerError):
    """404: there is no such Lease."""


class Expired(OnepollerError):
    """410: what was asked for is too long ago; list again."""


def refusal(status: int, *, verb: str, namespace: str, reason: str, shown: str) -> OnepollerError:
    """What an answer that is not a success means. `reason` is the Status object's, a single word."""
    if status == 401:
        return StoreUnfit(
            f"{shown}: the API server does not know who we are (401): check the service account's token, or"
            " the token or certificate of the kubeconfig."
        )
    if status == 403:
        return StoreUnfit(
            f"{shown}: we may not {verb} leases in the namespace {namespace} (403): grant it to our service"
            f" account or user, as {RIGHTS} does."
        )
    if status == 404:
        if verb in {"get", "update", "delete"} and reason == "NotFound":
            return Missing()
        return StoreUnfit(
            f"{shown}: there is no namespace {namespace}, or no coordination.k8s.io/v1 on this server (404):"
            " check the URL and the kubeconfig."
        )
    if status == 409:
        return Conflict()
    if status == 410:
        return Expired()
    if status in {400, 413, 422}:
        return StoreUnfit(
            f"{shown}: the API server refused to {verb} a Lease of ours ({status} {reason}): check that"
            " nothing in the cluster restricts names, labels or annotations of Leases."
        )
    return StoreUnavailable(f"{shown} answers {status} instead of doing its work; it is tried again.")


def silent(shown: str) -> StoreUnavailable:
    """No answer in time, or a connection that broke."""
    return StoreUnavailable(f"{shown} does not answer: check that the API server can be reached from here.")


@contextmanager
def later() -> Iterator[None]:
    """In a session that serves already, what a person has to mend is trouble that may pass by itself."""
    try:
        yield
    except SetupError as error:
        raise StoreUnavailable(str(error)) from error
