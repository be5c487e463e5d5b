"""Scenario 9: the store is in trouble, or the holder: nothing is accepted twice, all comes back by itself.

What a bot does while its store is away is a written rule: it polls on until its deadline (the lease less a
margin, from its last good heartbeat) and stands by then. Wall clocks decide nothing: a test sets those of two
bots ten minutes apart. The wall clock of the server, which Redis' own expiry follows, is not moved here.
"""

from __future__ import annotations

import math
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from onepoller.testing.botapi import Row, conflicts, overlaps, polls
from tests.e2e.bots.at_server import PATIENCE, Telegram
from tests.e2e.bots.processes import ROOT, Bot, Bots
from tests.e2e.engines.engine_kinds import ENGINES
from tests.e2e.engines.servers import Require
from tests.e2e.scenarios.stores import EVERYWHERE, ON_SERVERS, ServedStore, Stores

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
LEASE = 2.0
SLACK = 3.0
"""How much later than its bound anything may be seen here, seconds: the machine may be busy."""
CLOSING = 1.5
"""The poll that is open at the deadline is ended by the next sweep, once a second."""
FULL = [pytest.mark.soak, pytest.mark.timeout(600)]
FREEZES = [pytest.param(LEASE, 1.5, id="short"), pytest.param(10.0, 9.0, id="full", marks=FULL)]
"""The lease, and how many leases long a store or a holder stands still."""
Trouble = Callable[[ServedStore], None]
SKEWED = "import time; true = time.time; time.time = lambda: true() + {seconds}"


@pytest.fixture
def stores(require_program: Require, tmp_path: Path) -> Iterator[Stores]:
    """Give a maker of the test's store, which ends with the test."""
    with ExitStack() as stack:
        yield Stores(require_program, tmp_path, stack)


def _end(poll: Row) -> float:
    return min((end for end in (poll.ended_at, poll.closed_at) if end is not None), default=math.inf)


class Stage:
    """A holder and a standby of one bot."""

    def __init__(self, telegram: Telegram, bots: Bots) -> None:
        self.telegram = telegram
        self.bots = bots
        self.holder: Bot
        self.standby: Bot

    def begin(self, holder: str, standby: str, *, kind: str = "ptb", lease: float = LEASE) -> None:
        """Start both, with their ways to the store, and have the first handle a message."""
        self.holder = self.bots.start(kind, "a", store=holder, lease=lease)
        self.telegram.wait_parked("a")
        self.standby = self.bots.start(kind, "b", store=standby, lease=lease)
        self.standby.wait_said(role="standby")
        self.telegram.push()
        self.holder.wait_handled(self.telegram.pushed())
        given = self.telegram.wait_for(lambda row: row.how == "updates")
        self.telegram.wait_parked("a", after=given.seq)

    def wait_handled(self, *, timeout: float = PATIENCE) -> None:
        """Send a message and wait until somebody has handled all that were sent."""
        self.telegram.push()
        end = time.monotonic() + timeout
        while missing := set(self.telegram.pushed()) - set(self.bots.handled()):
            assert time.monotonic() < end, f"{missing} of {self.telegram.pushed()} were not handled"
            time.sleep(0.02)

    def judge(self, *, ended_at: float = -math.inf, beside: float = 0.0) -> None:
        """Everything was accepted once, and no two polls of ours were open at once (for longer than that).

        Nor did Telegram have to part them with a 409. Whose session was ended by force, at `ended_at`, may go
        on for so many seconds: what it was given until then and could not confirm comes again, as after a
        crash.
        """
        first, second = Counter(self.holder.handled), Counter(self.standby.handled)
        assert {*first.values(), *second.values()} == {1}
        given = [row for row in polls(self.telegram.rows()) if _end(row) <= ended_at + beside]
        assert first.keys() & second.keys() <= {update for row in given for update in row.update_ids}
        assert beside or conflicts(self.telegram.rows()) == []
        found = [both for both in overlaps(self.telegram.rows()) if _end(both.first) - both.at > beside]
        told = [(both.at, _end(both.first), both.first.poller, both.second.how) for both in found]
        assert found == [], f"{told}; {self.holder.name}: {self.holder.log}; {self.standby.log}"
        assert "Traceback" not in self.holder.log + self.standby.log

    def roles(self, bot: Bot, *, since: int) -> list[str]:
        """What it said of itself since then."""
        return [said["role"] for said in bot.said[since:] if "role" in said]


@pytest.fixture
def stage(telegram: Telegram, bots: Bots) -> Stage:
    """Give what plays with two bots."""
    return Stage(telegram, bots)


@pytest.mark.parametrize(("lease", "leases"), FREEZES)
@pytest.mark.parametrize("store", EVERYWHERE)
def test_a_thawed_holder_notices_before_it_acknowledges(
    stage: Stage, stores: Stores, store: str, lease: float, leases: float
) -> None:
    """A lease later the standby polls; what the frozen one had got is dropped, and it confirms nothing."""
    stage.begin(*stores.urls(store, "a", "b"), lease=lease)
    frozen_at = time.monotonic()
    stage.holder.send(signal.SIGSTOP)
    stage.telegram.push(2)  # answered to the frozen one, which has not looked yet
    stage.standby.wait_handled(stage.telegram.pushed()[1:], timeout=lease + 1 + SLACK)
    assert time.monotonic() - frozen_at > 0.6 * lease
    time.sleep(max(0.0, frozen_at + leases * lease - time.monotonic()))

    heard, last = len(stage.holder.said), stage.telegram.last()
    stage.holder.send(signal.SIGCONT)
    stage.holder.wait_said(role="standby", since=heard)
    stage.wait_handled()
    late = [row for row in stage.telegram.rows() if row.poller == "a" and row.seq > last]
    assert [row for row in late if row.confirmed or row.update_ids] == []
    assert set(stage.bots.handled().values()) == {1}
    assert stage.holder.handled == stage.telegram.pushed()[:1]


@pytest.mark.parametrize("store", ON_SERVERS)
@pytest.mark.parametrize(("lease", "leases"), FREEZES)
def test_a_store_that_stands_still_makes_nobody_deaf_for_longer_than_that(
    stage: Stage, stores: Stores, store: str, lease: float, leases: float
) -> None:
    """The holder polls until its deadline; once the store is back somebody polls within a lease and 1 s."""
    served = stores.served(store)
    stage.begin(served.way_of("a"), served.way_of("b"), lease=lease)
    frozen_at = stage.telegram.control.now()
    served.server.freeze()
    stage.wait_handled(timeout=0.4 * lease)  # within the deadline nothing has changed
    time.sleep(lease + CLOSING)
    assert not [row for row in polls(stage.telegram.rows()) if row.is_open]
    stage.telegram.push()
    time.sleep(lease * (leases - 1))
    assert not [row for row in polls(stage.telegram.rows()) if row.arrived_at > frozen_at + lease]
    served.server.thaw()
    stage.wait_handled(timeout=lease + 1 + SLACK)
    stage.judge()


@pytest.mark.soak
@pytest.mark.parametrize("store", ON_SERVERS)
def test_an_outage_shorter_than_the_deadline_is_not_noticed(stage: Stage, stores: Stores, store: str) -> None:
    """The holder goes on, and the standby takes nothing."""
    served = stores.served(store)
    stage.begin(served.way_of("a"), served.way_of("b"), kind="bare", lease=2 * LEASE)
    heard = len(stage.holder.said), len(stage.standby.said)
    served.server.freeze()
    stage.wait_handled()
    time.sleep(0.5)
    served.server.thaw()
    time.sleep(3 * LEASE)
    stage.wait_handled()
    assert stage.roles(stage.holder, since=heard[0]) == []
    assert stage.roles(stage.standby, since=heard[1]) == []
    stage.judge()


def dropped_silently(served: ServedStore) -> None:
    """The server closes the holder's connections, and the holder does not hear of it."""
    served.proxies["a"].forget(server_hears=True)


def cut_in_the_middle(served: ServedStore) -> None:
    """Neither side hears that the connections of the holder are dead."""
    served.proxies["a"].forget(server_hears=False)


def ended_by_the_server(served: ServedStore) -> None:
    """An administrator kills every client: CLIENT KILL, pg_terminate_backend, lease revoke."""
    assert served.engine.drop is not None
    served.engine.drop(served.server)


def restarted(served: ServedStore) -> None:
    """The server is stopped and started; it has kept what it had."""
    served.server.stop()
    served.server.start()


def crashed(served: ServedStore) -> None:
    """The server is killed, and started again."""
    served.server.kill()
    served.server.start()


TROUBLES: dict[Trouble, list[pytest.MarkDecorator]] = {
    dropped_silently: [],
    ended_by_the_server: [],
    restarted: [],
    cut_in_the_middle: [pytest.mark.soak],
    crashed: [pytest.mark.soak],
}


@pytest.mark.parametrize(
    ("store", "trouble"),
    [
        pytest.param(
            engine.name,
            trouble,
            marks=marks,
            id=f"{engine.name}-{trouble.__name__}",
        )
        for engine in ENGINES
        for trouble, marks in TROUBLES.items()
        if trouble is not ended_by_the_server or engine.drop is not None
    ],
)
def test_what_becomes_of_connections_and_servers_makes_nobody_deaf_for_long(
    stage: Stage, stores: Stores, store: str, trouble: Trouble
) -> None:
    """Whoever polls afterwards polls alone, at most a lease and a second later; the other stands by."""
    served = stores.served(store)
    stage.begin(served.way_of("a"), served.way_of("b"), kind="bare")
    trouble(served)
    ended_at = stage.telegram.control.now() if trouble is ended_by_the_server else -math.inf
    for _ in range(8):  # for two leases
        stage.wait_handled(timeout=LEASE + 1 + SLACK)
        time.sleep(LEASE / 4)
    polling = stage.telegram.poller()
    other = stage.standby if polling == "a" else stage.holder
    other.wait(lambda bot: stage.roles(bot, since=0)[-1:] == ["standby"])
    # Whom an administrator ends by force is over for the others at once, and hears of it a moment later.
    stage.judge(ended_at=ended_at, beside=LEASE / 3 if trouble is ended_by_the_server else 0.0)


@pytest.mark.parametrize("store", ON_SERVERS)
def test_a_holder_that_is_cut_off_stops_before_the_standby_starts(
    stage: Stage, stores: Stores, store: str
) -> None:
    """Its own deadline is the fence: nobody can tell it anything. Afterwards it stands by."""
    served = stores.served(store)
    stage.begin(served.way_of("a"), served.way_of("b"))
    served.proxies["a"].blackhole()
    stage.telegram.wait_parked("b", timeout=LEASE + 1 + SLACK)
    stage.wait_handled()
    assert stage.standby.handled == stage.telegram.pushed()[1:]
    served.proxies["a"].heal()
    time.sleep(LEASE)
    stage.wait_handled()
    stage.judge()


def skewed(folder: Path, seconds: float) -> str:
    """Where Python finds a wall clock that is so many seconds off."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(SKEWED.format(seconds=seconds))
    return f"PYTHONPATH={ROOT}{os.pathsep}{folder}"


@pytest.mark.parametrize("store", EVERYWHERE)
def test_wall_clocks_ten_minutes_apart_change_nothing(
    telegram: Telegram, bots: Bots, stores: Stores, tmp_path: Path, store: str
) -> None:
    """A living holder keeps its claim for several leases; a frozen one is followed after one."""
    early, late = skewed(tmp_path / "early", -300.0), skewed(tmp_path / "late", 300.0)
    for_holder, for_standby = stores.urls(store, "a", "b")
    holder = bots.start("bare", "a", before=["env", early], store=for_holder, lease=LEASE)
    telegram.wait_parked("a")
    standby = bots.start("bare", "b", before=["env", late], store=for_standby, lease=LEASE)
    standby.wait_said(role="standby")
    time.sleep(2 * LEASE)
    assert {row.poller for row in telegram.rows() if row.is_poll} == {"a"}
    frozen_at = time.monotonic()
    holder.send(signal.SIGSTOP)
    telegram.wait_parked("b", timeout=LEASE + 1 + SLACK)
    assert time.monotonic() - frozen_at > 0.6 * LEASE
    heard = len(holder.said)
    holder.send(signal.SIGCONT)
    holder.wait_said(role="standby", since=heard)
