"""Random histories of several sessions, against a model so naive that it can be checked by eye.

After every step the whole store is read and compared with the model, and each session is asked for each
claim.
"""

from __future__ import annotations

import asyncio
import tempfile
from abc import abstractmethod
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from onepoller.coordination.errors import SessionOver
from onepoller.coordination.identity import BotId, SessionId, Term
from onepoller.coordination.stores.file import FileStore
from onepoller.coordination.stores.file.session import FileSession
from onepoller.coordination.stores.memory import MemoryStore
from onepoller.coordination.stores.seam import Batch, Claim, Liveness, Session, Store, Swap, Wish
from onepoller.testing.store_contract.rig import identity

LEASE = 10.0
BOTS = tuple(BotId(number) for number in (1, 2, 3))
bots = st.sampled_from(BOTS)
T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Known:
    """What the model knows of a session."""

    session: Session
    beaten_at: float
    is_killed: bool = False
    is_over: bool = False
    seen: set[tuple[BotId, Term]] = field(default_factory=set)
    """What was its own when it was looked at."""

    def is_silent(self, now: float) -> bool:
        """Whether a swap may require it to be over."""
        return self.is_over or self.is_killed or now - self.beaten_at >= LEASE


class StoreMachine(RuleBasedStateMachine):
    """Sessions come, beat, write, freeze, die and go."""

    sessions = Bundle("sessions")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.now = 1000.0
        self.known: dict[SessionId, Known] = {}
        self.claims: dict[BotId, Claim] = {}
        self.wishes: list[tuple[BotId, SessionId, int]] = []
        self.store = self.made()

    @abstractmethod
    def made(self) -> Store:
        """The store under test, on the machine's clock."""

    @abstractmethod
    def end_process(self, session: Session) -> None:
        """Let a session's process die."""

    def do(self, call: Coroutine[Any, Any, T]) -> T:
        """Run one call to its end."""
        return self.runner.run(call)

    @rule(target=sessions)
    def open(self) -> SessionId:
        """A process starts."""
        session = self.do(self.store.open(identity()))
        self.known[session.id] = Known(session=session, beaten_at=self.now)
        return session.id

    @rule(name=consumes(sessions))
    def close(self, name: SessionId) -> None:
        """A process says goodbye."""
        known = self.known[name]
        self.do(self.store.close(known.session))
        if not known.is_over:
            self.end(name)
            for claim in [claim for claim in self.claims.values() if claim.holder == name]:
                freed = replace(claim, holder=None, heir=None, clean=False, version=claim.version + 1)
                self.claims[claim.bot_id] = freed

    @rule(name=consumes(sessions))
    def kill(self, name: SessionId) -> None:
        """A process dies."""
        self.end_process(self.known[name].session)
        self.known[name].is_killed = True

    @rule(name=sessions, confirm=st.booleans())
    def beat(self, name: SessionId, *, confirm: bool) -> None:
        """A session says that it lives, unless it is over."""
        known = self.known[name]
        try:
            self.do(self.store.beat(known.session, confirm=confirm))
        except SessionOver:
            assert known.is_over
        else:
            assert not known.is_over
            known.beaten_at = self.now

    @rule(seconds=st.sampled_from([LEASE / 4, LEASE]))
    def pass_time(self, seconds: float) -> None:
        """Nothing happens for a while."""
        self.now += seconds

    @rule(
        name=sessions,
        swaps=st.lists(
            st.tuples(bots, st.integers(-1, 1), st.booleans(), st.booleans()), unique_by=lambda swap: swap[0]
        ),
    )
    def swap(self, name: SessionId, swaps: list[tuple[BotId, int, bool, bool]]) -> None:
        """A session takes or frees claims, by versions that stand or not, from holders over or not."""
        known = self.known[name]
        asked = [self.swap_of(name, *swap) for swap in swaps]
        try:
            written = self.do(self.store.swap(known.session, Batch(swaps=asked))).written
        except SessionOver:
            assert known.is_over
            return
        assert not known.is_over
        over = self.required_over(asked)
        expected = {
            swap.claim.bot_id: replace(swap.claim, version=swap.claim.version + 1)
            for swap in asked
            if self.is_current(swap) and (swap.requires_over is None or swap.requires_over in over)
        }
        for claim in expected.values():
            if claim.version == 1:  # where terms begin is the store's business
                expected[claim.bot_id] = replace(claim, term=written[claim.bot_id].term)
        assert written == expected
        self.claims.update(expected)

    def swap_of(self, name: SessionId, bot_id: BotId, off: int, takes: bool, proves: bool) -> Swap:  # drawn
        """A swap of this session's on a claim as it stands, or off by a version."""
        claim = self.claims.get(bot_id, Claim(bot_id=bot_id))
        holder = name if takes else None
        changed = replace(
            claim, version=max(0, claim.version + off), holder=holder, term=Term(claim.term + 1)
        )
        return Swap(claim=changed, requires_over=claim.holder if proves else None)

    def is_current(self, swap: Swap) -> bool:
        """Whether the version is the one that stands."""
        return (
            swap.claim.version == self.claims.get(swap.claim.bot_id, Claim(bot_id=swap.claim.bot_id)).version
        )

    def required_over(self, asked: list[Swap]) -> set[SessionId]:
        """End those who are required over and can be proved so."""
        required = {swap.requires_over for swap in asked if swap.requires_over and self.is_current(swap)}
        over = {name for name in required if self.known[name].is_silent(self.now)}
        for name in over:
            self.end(name)
        return over

    @rule(name=sessions, bot_id=bots, priority=st.integers(-1, 1))
    def wish(self, name: SessionId, bot_id: BotId, priority: int) -> None:
        """A session wishes, or renews its wish."""
        if self.wrote(name, Batch(wishes=[Wish(bot_id=bot_id, session=name, priority=priority)])):
            standing = [(wish[0], wish[1]) for wish in self.wishes]
            if (bot_id, name) in standing:
                self.wishes[standing.index((bot_id, name))] = (bot_id, name, priority)
            else:
                self.wishes.append((bot_id, name, priority))

    @rule(name=sessions, bot_id=bots)
    def withdraw(self, name: SessionId, bot_id: BotId) -> None:
        """A session takes a wish back."""
        if self.wrote(name, Batch(withdrawn=[bot_id])):
            self.wishes = [wish for wish in self.wishes if wish[:2] != (bot_id, name)]

    def wrote(self, name: SessionId, batch: Batch) -> bool:
        """Whether the session was allowed to write, which must be as the model says."""
        try:
            self.do(self.store.swap(self.known[name].session, batch))
        except SessionOver:
            assert self.known[name].is_over
            return False
        assert not self.known[name].is_over
        return True

    def end(self, name: SessionId) -> None:
        """Mark a session over in the model."""
        self.known[name].is_over = True
        self.wishes = [wish for wish in self.wishes if wish[1] != name]

    @invariant()
    def reads_as_the_model_says(self) -> None:
        """Claims, and wishes of those who live, in order."""
        snapshot = self.do(self.store.read(BOTS))
        assert {claim.bot_id: claim for claim in snapshot.claims.values() if claim.version} == self.claims
        for bot_id in BOTS:
            read = [(bot_id, wish.session, wish.priority) for wish in snapshot.wishes[bot_id]]
            assert [wish for wish in read if not self.known[wish[1]].is_killed] == [
                wish for wish in self.wishes if wish[0] == bot_id and not self.known[wish[1]].is_killed
            ]

    @invariant()
    def sees_who_lives(self) -> None:
        """Liveness of all that are known; those who died holding nothing may have been forgotten."""
        seen = self.do(self.store.read()).sessions
        for name, known in self.known.items():
            if known.is_over:
                assert name not in seen or seen[name].liveness is Liveness.OVER
            elif not known.is_killed:
                expected = Liveness.SILENT if known.is_silent(self.now) else Liveness.ALIVE
                assert seen[name].liveness is expected
            else:
                assert name not in seen or seen[name].liveness is not Liveness.ALIVE

    @invariant()
    def only_the_holder_has_the_claim(self) -> None:
        """The look before delivery is True for the living holder's own term, for nobody and nothing else."""
        for name, known in self.known.items():
            if not known.is_killed:
                for bot_id, claim in self.claims.items():
                    is_holder = claim.holder == name and not known.is_over
                    assert known.session.has_claim(bot_id, claim.term) is is_holder
                    assert not known.session.has_claim(bot_id, Term(claim.term - 1))
                    if is_holder:
                        known.seen.add((bot_id, claim.term))
                for bot_id, term in known.seen:
                    claim = self.claims[bot_id]
                    is_ours = (claim.holder, claim.term) == (name, term) and not known.is_over
                    assert known.session.has_claim(bot_id, term) is is_ours

    def teardown(self) -> None:
        """Close whatever is open."""
        for known in self.known.values():
            self.do(self.store.close(known.session))
        self.runner.close()


class MemoryMachine(StoreMachine):
    """The reference."""

    def made(self) -> Store:
        """A store on the machine's clock."""
        return MemoryStore(lease=LEASE, clock=lambda: self.now)

    def end_process(self, session: Session) -> None:
        """What a simulation calls."""
        assert isinstance(self.store, MemoryStore)
        self.store.kill(session.id)


class FileMachine(StoreMachine):
    """The file store, in a directory of its own."""

    def made(self) -> Store:
        """A store on the machine's clock."""
        self.directory = tempfile.TemporaryDirectory()
        return FileStore(
            Path(self.directory.name) / "state",
            lease=LEASE,
            boot_clock=lambda: self.now,
            monotonic=lambda: self.now,
        )

    def end_process(self, session: Session) -> None:
        """What the kernel does for a dead process."""
        assert isinstance(session, FileSession)
        session.file.close()

    def teardown(self) -> None:
        """Remove the directory too."""
        super().teardown()
        self.directory.cleanup()


TestMemoryStore = MemoryMachine.TestCase
TestMemoryStore.settings = settings(max_examples=100, stateful_step_count=40)
TestFileStore = FileMachine.TestCase
TestFileStore.settings = settings(max_examples=25, stateful_step_count=30)
