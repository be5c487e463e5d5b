"""The PostgreSQL store is set up by itself, with the rights that it is given, and says what is wrong."""

from __future__ import annotations

import asyncio
import re

import pytest

from onepoller.coordination.errors import OnepollerError, StoreUnavailable, StoreUnfit
from onepoller.coordination.stores.engine import Address
from onepoller.coordination.stores.postgresql import make
from onepoller.testing.store_contract.rig import BOT, identity
from tests.e2e.engines.postgresql import fresh, processes, run
from tests.e2e.engines.servers import PgBouncer, PostgreSQL, free_port

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SECRET = "pa55word"


def complaint(url: str) -> OnepollerError:
    """What opening a session raises."""
    with pytest.raises(OnepollerError) as raised:
        asyncio.run(make(Address.of(url), lease=2.0).open(identity()))
    assert SECRET not in repr(raised.value) + str(raised.value.__cause__)
    return raised.value


def named(url: str, user: str, *, port: int | None = None) -> str:
    """A URL with another user and a password."""
    url = url.replace("postgres@", f"{user}:{SECRET}@")
    return re.sub(r":\d+/", f":{port}/", url) if port else url


async def test_ten_processes_set_it_up_at_once(postgresql_server: PostgreSQL) -> None:
    """One makes the schema, the others find it made."""
    async with processes(fresh(postgresql_server.url), 10) as started:
        await started[0].take()
        assert await started[9].take() != {}


def test_a_login_that_is_refused_is_told(postgresql_server: PostgreSQL) -> None:
    """The sentence names the server, and not the password."""
    error = complaint(named(postgresql_server.url, "nobody"))
    assert isinstance(error, StoreUnfit)
    assert "refuses the login: check user and password" in str(error)


def test_a_database_that_is_not_there_is_told(postgresql_server: PostgreSQL) -> None:
    """It is not made."""
    error = complaint(postgresql_server.url.removesuffix("postgres") + "elsewhere")
    assert isinstance(error, StoreUnfit)
    assert "there is no such database" in str(error)


def test_a_server_that_is_not_there_is_waited_for(postgresql_server: PostgreSQL) -> None:
    """It may come."""
    error = complaint(named(postgresql_server.url, "postgres", port=free_port()))
    assert isinstance(error, StoreUnavailable)
    assert "does not answer" in str(error)


def test_a_pooler_is_noticed(pgbouncer: PgBouncer) -> None:
    """A lock behind it would be nobody's."""
    error = complaint(fresh(pgbouncer.url))
    assert isinstance(error, StoreUnfit)
    assert "add ?mode=pooler" in str(error)


def test_a_newer_schema_is_left_alone(postgresql_server: PostgreSQL) -> None:
    """Who does not know its tables writes nothing into them."""
    url = fresh(postgresql_server.url)
    prefix = url.rpartition("=")[2]

    async def body() -> None:
        async with processes(url, 1):
            await run(url, f"UPDATE {prefix}.meta SET version = 99")  # noqa: S608  # our own name

    asyncio.run(body())
    assert "newer onepoller" in str(complaint(url))


async def test_a_look_creates_nothing(postgresql_server: PostgreSQL) -> None:
    """`onepoller status` on an empty database finds nobody, and leaves it empty."""
    url = fresh(postgresql_server.url)
    prefix = url.rpartition("=")[2]
    snapshot = await make(Address.of(url), lease=2.0).read([BOT])
    assert (snapshot.claims[BOT].version, snapshot.sessions) == (0, {})
    assert await run(url, f"SELECT FROM pg_namespace WHERE nspname = '{prefix}'") == []  # our own name


def test_a_user_without_rights_is_told_what_to_ask_for(postgresql_server: PostgreSQL) -> None:
    """The sentence holds the statement for the administrator."""
    url = fresh(postgresql_server.url)
    user = url.rpartition("=")[2]
    asyncio.run(run(url, f"CREATE ROLE {user} LOGIN"))
    error = complaint(named(url, user))
    assert isinstance(error, StoreUnfit)
    assert f'CREATE SCHEMA "{user}" AUTHORIZATION' in str(error)


async def test_a_schema_of_the_users_own_is_all_it_needs(postgresql_server: PostgreSQL) -> None:
    """An administrator has made the schema; the user may create nothing else."""
    url = fresh(postgresql_server.url)
    user = url.rpartition("=")[2]
    await run(url, f"CREATE ROLE {user} LOGIN")
    await run(url, f"CREATE SCHEMA {user} AUTHORIZATION {user}")
    await _hold_and_take_over(named(url, user))


async def test_reading_and_writing_is_enough_where_the_tables_are_there(
    postgresql_server: PostgreSQL,
) -> None:
    """An administrator has made everything, and has granted what docs/postgresql.md lists."""
    url = fresh(postgresql_server.url)
    user = url.rpartition("=")[2]
    async with processes(url, 1):
        pass
    await run(url, f"CREATE ROLE {user} LOGIN")
    await run(url, f"GRANT USAGE ON SCHEMA {user} TO {user}")
    tables = f"ALL TABLES IN SCHEMA {user}"
    await run(url, f"GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO {user}")
    await _hold_and_take_over(named(url, user))


async def _hold_and_take_over(url: str) -> None:
    async with processes(url, 2, lease=2.0) as (holder, standby):
        await standby.watch()
        await holder.take()
        await holder.die()
        await standby.wait_heard(holder)
        assert await standby.take(requires_over=holder) != {}


async def test_nothing_shows_the_password(postgresql_server: PostgreSQL) -> None:
    """Neither the store's name nor its repr."""
    url = named(fresh(postgresql_server.url), "postgres")
    async with processes(url, 1) as (process,):
        assert SECRET not in repr(process.store) + str(process.store) + repr(process.session)
