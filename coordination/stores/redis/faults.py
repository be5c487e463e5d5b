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
    if isinstance(error, exceptions.NoPermissionError) or code == "NOPERM":
        return StoreUnfit(
            f"{shown} does not give this user the rights that onepoller needs: see docs/redis.md."
        )
    if isinstance(error, exceptions.AuthenticationError) or code in {"NOAUTH", "WRONGPASS"}:
        return StoreUnfit(f"{shown} refuses this user or password: correct them in the store's URL.")
    if isinstance(error, exceptions.OutOfMemoryError) or code == "OOM":
        return StoreFull(f"{shown} has no memory left (maxmemory): what changes waits until there is some.")
    if isinstance(error, exceptions.ReadOnlyError) or code == "READONLY":
        return StoreUnavailable(f"{shown} is a replica, which cannot be written to; name the primary.")
    if isinstance(error, exceptions.BusyLoadingError) or code == "LOADING":
        return StoreUnavailable(f"{shown} is still loading its data.")
    if code == "NOREPLICAS":
        return StoreUnavailable(f"{shown} takes no writes: too few of its replicas are connected.")
    if "DB index" in text:
        return SettingsError(f"{shown} has no database of that number.")
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return _distrust(shown)
    if isinstance(error, (exceptions.ConnectionError, exceptions.TimeoutError)):
        return StoreUnavailable(f"{shown} does not answer.")
    return StoreUnavailable(f"{shown} refused a command ({code if code.isupper() else 'ERR'}).")


def _distrust(shown: str) -> StoreUnfit:
    return StoreUnfit(
        f"{shown} has a certificate that this machine does not trust: name its authority in SSL_CERT_FILE."
    )
