"""When our data began on a server, and on which run of it.

Redis may lose what it has said is written: by FLUSHALL, by a restart, by a fail-over to a replica that was
behind. After each of these either nothing is left of our data, or they lie on another run of the server.
Then they begin anew: every session is over, for a claim that it knows of may be lost; and terms go on from
the time of the new beginning, which is later than all that was written before. Where old data came back,
their sessions seem to live for one more lease: see `stores.engine.aftermath`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from onepoller.coordination.identity import SessionId, Term, first_term
from onepoller.coordination.stores.redis.keys import Keys
from onepoller.coordination.stores.redis.line import Line, run
from onepoller.coordination.stores.redis.scripts import BEGIN


@dataclass(frozen=True, slots=True)
class Beginning:
    """`text` is what lies on the server: milliseconds by its clock, and the id of its run."""

    text: str

    @property
    def first_term(self) -> Term:
        """The first term of what is written from then on."""
        return first_term(int(self.text.partition(" ")[0]) / 1000)

    @property
    def run(self) -> str:
        """The run of the server."""
        return self.text.partition(" ")[2]

    @classmethod
    async def on(cls, line: Line, keys: Keys) -> Self:
        """The beginning of our data on this server; noted there where it is new."""
        (found,) = await line.ask(("GET", keys.begun))
        begun = cls((found or b"").decode())
        while not begun.text or begun.run != line.server.run:
            leases = await _leases(line, keys)
            command = run(
                BEGIN,
                [keys.begun, keys.generation, *map(keys.alive, leases)],
                line.server.run,
                begun.text,
                *leases.values(),
            )
            begun = cls((await line.ask(command))[0].decode())
        return begun


async def _leases(line: Line, keys: Keys) -> dict[SessionId, int]:
    """The leases of the sessions that nobody has ended, milliseconds."""
    (members,) = await line.ask(("SMEMBERS", keys.sessions))
    ids = [SessionId(member.decode()) for member in members]
    if not ids:
        return {}
    found = await line.ask(*(("HMGET", keys.session(one), "lease", "over") for one in ids))
    return {one: int(lease) for one, (lease, over) in zip(ids, found, strict=True) if lease and not over}
