"""What etcd answers, as errors of ours."""

from __future__ import annotations

import json

import pytest

from onepoller.coordination.errors import OnepollerError, StoreFull, StoreUnavailable, StoreUnfit
from onepoller.coordination.stores.etcd.refusal import LeaseGone, LoginOld, refusal, unreachable

SHOWN = "etcd://one.test"


def answer(message: str) -> bytes:
    """As the gateway writes it."""
    return json.dumps({"error": message, "message": message, "code": 9}).encode()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (answer("etcdserver: requested lease not found"), LeaseGone),
        (answer("etcdserver: invalid auth token"), LoginOld),
        (answer("etcdserver: mvcc: database space exceeded"), StoreFull),
        (answer("etcdserver: permission denied"), StoreUnfit),
        (answer("etcdserver: request timed out"), StoreUnavailable),
        (b'{"error":{"grpc_code":14,"message":"etcdserver: no leader"}}', StoreUnavailable),
        (b'{"code":8,"message":"etcdserver: mvcc: database space exceeded"}', StoreFull),
        (b"<html>Bad Gateway</html>", StoreUnavailable),
        (b"[]", StoreUnavailable),
    ],
)
def test_answers_of_every_form(content: bytes, kind: type[Exception]) -> None:
    """Those of a call, of a stream, of the gateway of etcd 3.6, and of something in between."""
    assert type(refusal(503, content, shown=SHOWN, prefix="onepoller")) is kind


def test_too_old_a_server_is_named() -> None:
    """It has no /v3."""
    error = refusal(404, b"404 page not found", shown=SHOWN, prefix="onepoller")
    assert str(error).startswith("etcd://one.test has no /v3: it takes etcd 3.4 or later")


@pytest.mark.parametrize(
    ("shown", "is_new", "sentence"),
    [
        (SHOWN, True, "it may speak TLS (write etcds://)."),
        ("etcds://one.test", True, "or want a certificate of ours (?cert=FILE&key=FILE)."),
        (SHOWN, False, "does not answer."),
    ],
)
def test_a_connection_that_ends_may_be_the_wrong_kind(shown: str, is_new: bool, sentence: str) -> None:
    """If no answer ever came."""
    error: OnepollerError = unreachable(OSError("reset"), shown=shown, is_new=is_new)
    assert str(error).endswith(sentence)


def test_a_time_out_is_no_question_of_tls() -> None:
    """The first one neither."""
    assert str(unreachable(TimeoutError(), shown=SHOWN, is_new=True)) == "etcd://one.test does not answer."
