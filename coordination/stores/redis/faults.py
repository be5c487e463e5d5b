"""What can go wrong with a Redis server, as our errors: one sentence, and no text of the client's.

The client's own text may repeat what was sent, so of it only the first word is told: the server's code.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from redis import exceptions

from onepoller.coordination.errors import (
    OnepollerError,
    SettingsError,
    StoreFull,
    StoreUnavailable,
    StoreUnfit,
)

_Errors = tuple[type[exceptions.RedisError], ...]
_MEANINGS: tuple[tuple[_Errors, frozenset[str], type[OnepollerError], str], ...] = (
    (
        (exceptions.NoPermissionError,),
        frozenset({"NOPERM"}),
        StoreUnfit,
        "does not give this user the rights that onepoller needs: see docs/redis.md.",
    ),
    (
        (exceptions.AuthenticationError,),
        frozenset({"NOAUTH", "WRONGPASS"}),
        StoreUnfit,
        "refuses this user or password: correct them in the store's URL.",
    ),
    (
        (exceptions.OutOfMemoryError,),
        frozenset({"OOM"}),
        StoreFull,
        "has no memory left (maxmemory): what changes waits until there is some.",
    ),
    (
        (exceptions.ReadOnlyError,),
        frozenset({"READONLY"}),
        StoreUnavailable,
        "is a replica, which cannot be written to; name the primary.",
    ),
    (
        (exceptions.BusyLoadingError,),
        frozenset({"LOADING"}),
        StoreUnavailable,
        "is still loading its data.",
    ),
    (
        (exceptions.ClusterDownError, exceptions.TryAgainError, exceptions.AskError),
        frozenset({"CLUSTERDOWN", "TRYAGAIN", "ASK"}),
        StoreUnavailable,
        "is of a cluster that does not serve our keys now.",
    ),
    (
        (),
        frozenset({"NOREPLICAS"}),
        StoreUnavailable,
        "takes no writes: too few of its replicas are connected.",
    ),
)
"""The client's class or the server's code, and what it means; older clients know fewer classes."""


@contextmanager
def faults(shown: str) -> Iterator[None]:
    """Turn the client's errors into ours. `shown`: the server, for people."""
    try:
        yield
    except exceptions.RedisError as error:
        raise _meaning(error, shown) from None
    except ssl.SSLCertVerificationError:
        raise _distrust(shown) from None
    except (OSError, TimeoutError):
        raise StoreUnavailable(f"{shown} does not answer.") from None


def _meaning(error: exceptions.RedisError, shown: str) -> OnepollerError:
    text = str(error)
    code = text.partition(" ")[0]
    for kinds, codes, ours, says in _MEANINGS:
        if isinstance(error, kinds) or code in codes:
            return ours(f"{shown} {says}")
    if "DB index" in text:
        return SettingsError(f"{shown} has no database of that number.")
    if isinstance(error.__context__, ssl.SSLCertVerificationError):
        return _distrust(shown)
    if isinstance(error, (exceptions.ConnectionError, exceptions.TimeoutError)):
        return StoreUnavailable(f"{shown} does not answer.")
    return StoreUnavailable(f"{shown} refused a command ({code if code.isupper() else 'ERR'}).")


def _distrust(shown: str) -> StoreUnfit:
    return StoreUnfit(
        f"{shown} has a certificate that this machine does not trust: name its authority in SSL_CERT_FILE."
    )
