"""A guard on a bench: the test turns its clock, answers its steps, and is its instance and its caller."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from onepoller.coordination import call, events
from onepoller.coordination.call import Steps
from onepoller.coordination.clocks import Clocks
from onepoller.coordination.crossing import Crossing
from onepoller.coordination.events import Cause, Certainty
from onepoller.coordination.grant import Grant
from onepoller.coordination.guard import Guard
from onepoller.coordination.identity import BotId, SessionId, Term
from onepoller.coordination.presence import caller_of
from onepoller.coordination.settings import OnRival, Settings
from onepoller.coordination.situation import Policy
from onepoller.coordination.stores.seam import Claim, Episode
from onepoller.coordination.wire import Delivered, Ended, Manners, OnCancel, Refused, Request

BOT = BotId(42)
G = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
W = (
    "Conflict: can't use getUpdates method while webhook is active; "
    "use deleteWebhook to delete the webhook first"
)
RIVAL = Refused(status=409, text=G, reply="409")
PLAIN = Manners()
PTB = Manners(on_cancel=OnCancel.STOPPING, fetches_ahead=True)


class Session:
    """Our session: the test says what it knows."""

    id = SessionId("own")
    fence_wait = 0.0

    def __init__(self) -> None:
        self.deadline = 1e9
        self.is_ours = True

    def has_claim(self, _bot_id: BotId, _term: Term) -> bool:
        """What the test says."""
        return self.is_ours


class FakeClaims:
    """The instance, as a guard sees it: it notes what it is asked."""

    def __init__(self) -> None:
        self.crowd = 1.0
        self.crossing = Crossing()
        self.said: list[Any] = []
        self.futures: list[Future[bool]] = []
        self.noted: list[Episode | None] = []
        self.certainty = Certainty.HELD
        self.holds_on = False

    def _future(self, *said: Any) -> Future[bool]:
        self.said.append(said)
        future: Future[bool] = Future()
        self.futures.append(future)
        return future

    def want(self, _guard: Guard) -> Future[bool]:
        return self._future("want")

    def unwant(self, _guard: Guard) -> None:
        self.said.append(("unwant",))

    def let_go(self, guard: Guard, cause: Cause) -> None:
        self.said.append(("let_go", cause))
        guard.lost(cause)

    def stand_by(self, guard: Guard) -> None:
        self.said.append(("stand_by",))
        guard.lost(Cause.STORE)

    def is_awaited(self, _bot_id: BotId) -> Future[bool]:
        return self._future("is_awaited")

    def pass_on(self, _guard: Guard) -> None:
        self.said.append(("pass_on",))

    def confirm(self) -> Future[bool]:
        return self._future("confirm")

    def suspect(self, bot_id: BotId) -> None:
        self.said.append(("suspect", bot_id))

    def note_episode(self, _bot_id: BotId, episode: Episode | None) -> None:
        self.noted.append(episode)
        self.said.append(("note", episode.kind if episode else None))

    def note_standing(self, _bot_id: BotId) -> None:
        self.said.append(("note_standing",))

    def end_process(self, _bot_id: BotId, _reason: str) -> None:
        self.said.append(("end_process",))


class Wire:
    """Only what a guard reads of it; the test performs the steps."""

    api_root = "http://api"

    def __init__(self, manners: Manners) -> None:
        self.manners = manners

    async def poll(self, request: Request) -> Delivered | Refused:
        """Not called: the test answers."""
        raise AssertionError(request)

    async def ask(self, method: str) -> dict[str, Any]:
        """Not called: the test answers."""
        raise AssertionError(method)


class Task:
    """Whoever calls."""

    def __init__(self) -> None:
        self.ended = False

    def done(self) -> bool:
        return self.ended


class Bench:
    """A guard on a bench, with a clock in hand."""

    def __init__(self, manners: Manners = PLAIN, **settings: Any) -> None:
        used = Settings(**{"on_rival": OnRival.HOLD} | settings)
        self.now = 100.0
        self.claims = FakeClaims()
        self.session = Session()
        self.seen: list[events.Event] = []
        self.wire = Wire(manners)
        self.task = Task()
        self._others: list[Task] = []
        self.guard = Guard(
            BOT,
            claims=self.claims,
            settings=used,
            policy=Policy.of(used),
            emit=self.seen.append,
            clocks=Clocks(
                monotonic=lambda: self.now, boot=lambda: self.now, wall=lambda: self.now, chance=lambda: 0.5
            ),
        )

    def grant(self, term: int = 1, claim: Claim | None = None, cause: Cause = Cause.FREE) -> None:
        """The store gives the claim."""
        grant = Grant(session=self.session, term=Term(term), decided_at=self.now, cause=cause)
        self.guard.granted(grant, claim or Claim(bot_id=BOT, term=Term(term)), came_from=None)

    def call(
        self, *, offset: int = 0, timeout: float = 10.0, ended: bool = False, other: Task | None = None
    ) -> Steps:
        """The framework calls, in a task of its own or (`ended` False) in the one that called before.

        `other`: not the framework, but somebody else in its process.
        """
        if other is not None:
            self._others.append(other)  # a guard keeps nobody alive
            request = Request(offset=offset, timeout=timeout)
            return call.steps(self.guard, request, self.wire, caller_of(other))
        if ended:
            self.task = Task()
        steps = call.steps(
            self.guard, Request(offset=offset, timeout=timeout), self.wire, caller_of(self.task)
        )
        self.task.ended = ended
        return steps

    def later(self, seconds: float) -> None:
        """Turn the clock."""
        self.now += seconds

    def of(self, kind: type) -> list[Any]:
        """The events of one kind."""
        return [event for event in self.seen if isinstance(event, kind)]


def result(steps: Steps, value: Any) -> Any:
    """Answer the last step, and return what the call returns."""
    with pytest.raises(StopIteration) as done:
        steps.send(value)
    return done.value.value


def cancel(steps: Steps) -> None:
    """Cancel a call: it ends with that."""
    with pytest.raises(KeyboardInterrupt):
        steps.throw(KeyboardInterrupt())


def batch(*ids: int) -> Delivered:
    """A reply with these updates."""
    return Delivered(update_ids=ids, reply="200")


EMPTY = batch()


class Flight:
    """A poll on its way, that notes how it is ended."""

    def __init__(self, bench: Bench, *, minds_deadline: bool = False) -> None:
        self.minds_deadline = minds_deadline
        self.started = bench.now
        self.timeout = 10.0
        self.ended: list[Ended] = []
        bench.guard.flight = self

    def interrupt(self, how: Ended) -> None:
        """Note it."""
        self.ended.append(how)
