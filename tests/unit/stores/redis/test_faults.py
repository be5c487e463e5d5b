"""What the client raises, as our errors, without a word of its text."""

from __future__ import annotations

import ssl

import pytest
from redis import exceptions

from onepoller.coordination.errors import (
    OnepollerError,
    SettingsError,
    StoreFull,
    StoreUnavailable,
    StoreUnfit,
)
from onepoller.coordination.stores.redis.faults import faults

SECRET = "s3cret"


def test_a_certificate_that_is_not_trusted_is_told_as_that() -> None:
    """The client says only that it could not connect, on account of it."""
    error = exceptions.ConnectionError(SECRET)
    error.__context__ = ssl.SSLCertVerificationError(SECRET)
    with pytest.raises(StoreUnfit, match="does not trust"), faults("redis://cache.test"):
        raise error


@pytest.mark.parametrize(
    ("raised", "ours"),
    [
        (exceptions.AuthenticationError(f"invalid password {SECRET}"), StoreUnfit),
        (exceptions.ResponseError(f"NOAUTH {SECRET}"), StoreUnfit),
        (exceptions.NoPermissionError(SECRET), StoreUnfit),
        (exceptions.OutOfMemoryError(SECRET), StoreFull),
        (exceptions.ReadOnlyError(SECRET), StoreUnavailable),
        (exceptions.BusyLoadingError(SECRET), StoreUnavailable),
        (exceptions.ResponseError(f"NOREPLICAS {SECRET}"), StoreUnavailable),
        (exceptions.ClusterDownError(SECRET), StoreUnavailable),
        (exceptions.ResponseError(f"DB index is out of range {SECRET}"), SettingsError),
        (ssl.SSLCertVerificationError(SECRET), StoreUnfit),
        (exceptions.ConnectionError(SECRET), StoreUnavailable),
        (exceptions.TimeoutError(SECRET), StoreUnavailable),
        (ConnectionResetError(SECRET), StoreUnavailable),
        (TimeoutError(SECRET), StoreUnavailable),
        (exceptions.ResponseError(f"unknown command {SECRET}"), StoreUnavailable),
    ],
)
def test_a_fault_is_one_sentence(raised: Exception, ours: type[OnepollerError]) -> None:
    """It names the server, and hides where it came from: a traceback would show the client's text."""
    with pytest.raises(ours) as told, faults("redis://cache.test"):
        raise raised
    assert type(told.value) is ours
    assert str(told.value).startswith("redis://cache.test ")
    assert SECRET not in str(told.value)
    assert told.value.__suppress_context__
