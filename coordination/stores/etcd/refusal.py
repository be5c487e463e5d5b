"""What etcd answers when it does not do what it was asked, as our errors: one sentence each."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from onepoller.coordination.errors import OnepollerError, StoreFull, StoreUnavailable, StoreUnfit

NOT_FOUND = 404


class LeaseGone(Exception):
    """A write named a lease that the server does not have."""


class LoginOld(StoreUnavailable):
    """The token of our login has passed: log in again."""


Refusal = OnepollerError | LeaseGone


def refusal(status: int, content: bytes, *, shown: str, prefix: str) -> Refusal:
    """The error to raise for an answer that is none. Says nothing that we were not told by the server."""
    text = _text(content)
    if not text:
        if status == NOT_FOUND:
            return StoreUnfit(
                f"{shown} has no /v3: it takes etcd 3.4 or later, and its gateway (--enable-grpc-gateway)."
            )
        if b"HTTPS server" in content:
            return StoreUnfit(f"{shown} speaks TLS: write etcds:// instead of etcd://.")
        return StoreUnavailable(f"{shown} answers with status {status}.")
    for part, error in _SENTENCES.items():
        if part in text:
            return error(shown, prefix)
    return StoreUnavailable(f"{shown} cannot do it now: {text}.")


def unreachable(error: Exception, *, shown: str, is_new: bool) -> OnepollerError:
    """The error to raise where no answer came. `is_new`: there never was one, so TLS may be the reason."""
    said = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return StoreUnfit(f"{shown} has a certificate that nobody here trusts: give ?ca=FILE.")
    was_hung_up = not isinstance(error, TimeoutError) and "attempts failed" not in said
    if not (is_new and was_hung_up):
        return StoreUnavailable(f"{shown} does not answer.")
    if shown.startswith("etcds:"):
        return StoreUnavailable(
            f"{shown} ends the connection: it may speak no TLS (write etcd://),"
            " or want a certificate of ours (?cert=FILE&key=FILE)."
        )
    return StoreUnavailable(f"{shown} ends the connection: it may speak TLS (write etcds://).")


def _text(content: bytes) -> str:
    try:
        answer: Any = json.loads(content)
    except ValueError:
        return ""
    if not isinstance(answer, dict):
        return ""
    error = answer.get("error")
    inner = error if isinstance(error, dict) else answer  # a stream's error lies one deeper
    return str(inner.get("message") or "")[:200]


def _said(kind: type[OnepollerError], sentence: str) -> Callable[[str, str], Refusal]:
    return lambda shown, prefix: kind(sentence.format(shown=shown, prefix=prefix))


_OLD = "{shown} wants us to log in again."
_SENTENCES: dict[str, Callable[[str, str], Refusal]] = {
    "lease not found": lambda _shown, _prefix: LeaseGone(),
    "invalid auth token": _said(LoginOld, _OLD),
    "auth store is old": _said(LoginOld, _OLD),
    "authentication failed": _said(StoreUnfit, "{shown} refuses the user and password in store=."),
    "authentication is not enabled": _said(
        StoreUnfit, "{shown} knows no users: leave the user and password out of store=."
    ),
    "user name is empty": _said(
        StoreUnfit, "{shown} wants a user and a password: etcd://USER:PASSWORD@HOST:PORT."
    ),
    "permission denied": _said(
        StoreUnfit,
        "{shown} does not let this user read and write: its role needs"
        " `etcdctl role grant-permission ROLE readwrite {prefix}/ --prefix`.",
    ),
    "database space exceeded": _said(
        StoreFull,
        "{shown} has no space left: compact and defragment it, then `etcdctl alarm disarm`.",
    ),
    "too many operations": _said(
        StoreUnfit, "{shown} must allow transactions of 128 operations, its default (--max-txn-ops)."
    ),
    "request is too large": _said(
        StoreUnfit, "{shown} must allow requests of 1.5 MiB, its default (--max-request-bytes)."
    ),
}
