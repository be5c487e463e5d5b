"""What our things on the server are called, and the statements, written with these names."""

from __future__ import annotations

from dataclasses import dataclass

from onepoller.coordination.identity import SessionId
from onepoller.coordination.stores.postgresql import routines, tables

MIGRATIONS = (tables.VERSION_1 + routines.VERSION_1,)
"""The schema of version n is made by the first n of them."""


@dataclass(frozen=True, slots=True)
class Names:
    """Of the schema with this prefix."""

    prefix: str

    @property
    def schema(self) -> str:
        """As an identifier in a statement."""
        return f'"{self.prefix}"'

    @property
    def channel(self) -> str:
        """Where everybody listens: ends, and (after a +) beginnings, of sessions."""
        return self.prefix

    def channel_of(self, session: SessionId) -> str:
        """Where one session is woken."""
        return f"{self.prefix}:{session}"

    def written(self, statement: str) -> str:
        """A statement with these names in it. The prefix holds no quotation mark (`Address.prefix`)."""
        return statement.replace("{s}", self.schema).replace("{channel}", f"'{self.channel}'")


def lock_key(session: SessionId) -> int:
    """The advisory lock of a session: its 64 random bits, as the signed number that the server takes."""
    return int.from_bytes(bytes.fromhex(session), signed=True)
