"""What the client raises, as what we raise: one sentence each, never the client's own text."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from onepoller.coordination.errors import OnepollerError, StoreFull, StoreUnavailable, StoreUnfit

POOLER = (
    "{shown} is reached through a connection pooler, behind which locks and LISTEN mean nothing: connect to"
    " the server itself, or add ?mode=pooler to the URL."
)

_UNFIT: dict[type[Exception], str] = {
    asyncpg.InvalidAuthorizationSpecificationError: (
        "{shown} refuses the login: check user and password in the URL, and the server's pg_hba.conf."
    ),
    asyncpg.InvalidCatalogNameError: "{shown}: there is no such database; create it, or name another.",
    asyncpg.InsufficientPrivilegeError: (
        "{shown}: the user may not create or use our schema; as an administrator run"
        " CREATE SCHEMA {schema} AUTHORIZATION user, with the user of the URL."
    ),
    ssl.SSLCertVerificationError: (
        "{shown} shows a certificate that cannot be verified: check sslmode and sslrootcert in the URL."
    ),
}
_AWAY: dict[type[Exception], str] = {
    asyncpg.ReadOnlySQLTransactionError: "{shown} is read-only, as a replica is: name the primary server.",
    asyncpg.ObjectNotInPrerequisiteStateError: "{shown} is a replica: name the primary server.",
    asyncpg.TooManyConnectionsError: (
        "{shown} has no connection left: raise its max_connections, or the user's CONNECTION LIMIT."
    ),
    asyncpg.CannotConnectNowError: "{shown} is starting or shutting down.",
    asyncpg.QueryCanceledError: "{shown} did not get a statement done in time.",
}


class SchemaGone(Exception):
    """Our schema, or a part of it, is not there (any more)."""


@contextmanager
def ours(shown: str, schema: str) -> Iterator[None]:
    """Turn the client's errors into ours."""
    try:
        yield
    except OnepollerError:
        raise
    except (
        asyncpg.InvalidSchemaNameError,
        asyncpg.UndefinedTableError,
        asyncpg.UndefinedFunctionError,
        asyncpg.UndefinedColumnError,
    ):
        raise SchemaGone from None
    except asyncpg.DiskFullError:
        raise StoreFull(f"{shown}: the server has no disk space left.") from None
    except (  # TimeoutError is an OSError
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
        OSError,
    ) as error:
        raise _told(error, shown, schema) from None


def _told(error: Exception, shown: str, schema: str) -> OnepollerError:
    for kinds, kind in ((_UNFIT, StoreUnfit), (_AWAY, StoreUnavailable)):
        text = next((text for known, text in kinds.items() if isinstance(error, known)), None)
        if text is not None:
            return kind(text.format(shown=shown, schema=schema))
    is_connection = isinstance(error, (OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError))
    if is_connection or not isinstance(error, asyncpg.PostgresError):
        return StoreUnavailable(f"{shown} does not answer, or the connection to it was lost.")
    code = error.sqlstate or "no code"
    return StoreUnavailable(f"{shown} refused a statement with the error {code}; its log says more.")
