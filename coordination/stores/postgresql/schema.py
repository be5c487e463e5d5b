"""Our schema on the server: looked for, made, brought up to date.

Ten processes may start at once: who makes or changes something holds an advisory lock until the transaction
ends. Nothing is created that is there already, so a user needs no right to create where an administrator has.
"""

from __future__ import annotations

import zlib
from typing import Any

from onepoller.coordination.errors import StoreUnfit
from onepoller.coordination.stores.postgresql.link import Link
from onepoller.coordination.stores.postgresql.names import MIGRATIONS, Names

_MAKING = 0x6F6E6570
"""The first half of the advisory lock for making a schema ("onep"); the second is the schema's name."""
_FIRST = (
    "INSERT INTO {s}.meta SELECT 0, 0, f, f, {s}.life(), clock_timestamp() FROM {s}.first_term() f"
    " WHERE NOT EXISTS (SELECT FROM {s}.meta)"
)
LIMIT = 10.0


async def ready(link: Link, names: Names, *, shown: str) -> None:
    """Make the schema or bring it up to date, where that is needed. Raises StoreUnfit, StoreUnavailable."""
    if not is_up_to_date(await version(link), shown):
        await link.within(link.script(lambda connection: _make(connection, names)), LIMIT)


async def version(link: Link) -> int:
    """The version of the schema that is there; 0: none."""
    (found,) = await link.ask("SELECT to_regclass('{s}.meta') IS NOT NULL AS is_there", limit=LIMIT)
    rows = await link.ask("SELECT version FROM {s}.meta", limit=LIMIT) if found["is_there"] else []
    return rows[0]["version"] if rows else 0


def is_up_to_date(found: int, shown: str) -> bool:
    """Whether a schema of this version can be used as it is. Raises StoreUnfit where it is too new."""
    if found > len(MIGRATIONS):
        raise StoreUnfit(
            f"{shown} was set up by a newer onepoller: upgrade this one, or name another schema with ?prefix="
        )
    return found == len(MIGRATIONS)


async def _make(connection: Any, names: Names) -> None:
    name = zlib.crc32(names.prefix.encode()) - 2**31
    await connection.execute(f"SELECT pg_advisory_xact_lock({_MAKING}, {name})")
    if not await connection.fetchval("SELECT to_regnamespace($1) IS NOT NULL", names.schema):
        await connection.execute(f"CREATE SCHEMA {names.schema}")
    found = 0
    if await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", f"{names.schema}.meta"):
        # Without its row the table was emptied, and is of our own time.
        found = await connection.fetchval(f"SELECT version FROM {names.schema}.meta") or len(MIGRATIONS)  # noqa: S608  # our own name
    for migration in MIGRATIONS[found:]:
        await connection.execute(names.written(migration))
    await connection.execute(names.written(_FIRST))
    await connection.execute(f"UPDATE {names.schema}.meta SET version = {len(MIGRATIONS)}")  # noqa: S608  # our own name
