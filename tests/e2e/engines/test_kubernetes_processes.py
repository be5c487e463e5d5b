"""Real processes with real bots on Leases: a handover, a death, a fork, and what the command line shows."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from onepoller.testing.botapi import conflicts, overlaps, polls
from tests.e2e.bots.at_server import PATIENCE, Telegram
from tests.e2e.bots.processes import Bot, Bots
from tests.e2e.engines.kubernetes_api.peers import Namespace
from tests.e2e.engines.kubernetes_api.server import FakeKubernetes
from tests.e2e.engines.kubernetes_api.state import TOKEN
from tests.e2e.engines.kubernetes_api.statuses import Refused

pytestmark = pytest.mark.slow
LEASE = 2


@pytest.fixture
def store(namespace: Namespace) -> str:
    """Give the URL of a namespace of the test's own."""
    return namespace.url


def holder_and_standby(bots: Bots, store: str, kind: str = "bare") -> tuple[Bot, Bot]:
    """Two processes, as on two hosts, where no kernel lock tells of a death: the first polls."""
    options = ["--graceful"] if kind == "bare" else []
    return bots.pair(*options, kind=kind, store=store, lease=LEASE, state_dir=None)


@pytest.mark.parametrize("kind", ["bare", "ptb"])
def test_a_dead_holder_is_followed_within_its_lease(
    telegram: Telegram, bots: Bots, store: str, kind: str
) -> None:
    """SIGKILL: the other one polls, and no two polls overlap."""
    holder, standby = holder_and_standby(bots, store, kind)
    killed = telegram.control.now()
    holder.kill()
    telegram.wait_parked("b")
    (first, *_) = [row for row in polls(telegram.rows()) if row.poller == "b"]
    assert first.arrived_at - killed <= LEASE + 1
    assert (overlaps(telegram.rows()), conflicts(telegram.rows())) == ([], [])
    assert TOKEN not in standby.log


def test_a_holder_that_stops_hands_over(telegram: Telegram, bots: Bots, store: str) -> None:
    """SIGTERM, as a rolling update sends it: each message is handled once."""
    holder, standby = holder_and_standby(bots, store)
    telegram.push(1000, every=0.05)
    holder.wait(lambda bot: len(bot.handled) >= 5)
    holder.send(signal.SIGTERM)
    standby.wait(lambda bot: len(bot.handled) >= 5)
    handled = bots.wait_all_handled()
    assert set(handled.values()) == {1}
    assert (overlaps(telegram.rows()), conflicts(telegram.rows())) == ([], [])
    assert holder.ended() == 0


def test_a_forked_child_has_a_session_of_its_own(
    own_kubernetes_api: FakeKubernetes, telegram: Telegram, bots: Bots, store: str
) -> None:
    """The parent goes on polling, and neither touches the other's connections."""
    parent = bots.bare("a", store=store, lease=LEASE)
    telegram.wait_parked("a")
    parent.tell("fork-poll", "child")
    parent.wait_said(role="standby")
    sessions = [name for name in own_kubernetes_api.leases() if "-session-" in name]
    telegram.push(1)
    parent.wait_handled(telegram.pushed())
    assert len(sessions) == 2


def test_the_command_line_shows_who_polls(bots: Bots, store: str) -> None:
    """`onepoller status` reads Leases like any other store."""
    holder, standby = holder_and_standby(bots, store)
    result = subprocess.run(
        [sys.executable, "-m", "onepoller", "status", "--json"],
        env=bots.environment({"store": store}),
        capture_output=True,
        check=False,
        text=True,
        timeout=PATIENCE,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert str(holder.pid) in result.stdout
    assert str(standby.pid) in result.stdout
    assert TOKEN not in result.stdout


def test_a_frozen_holder_delivers_nothing_when_it_thaws(telegram: Telegram, bots: Bots, store: str) -> None:
    """The other one polls after its lease; what the thawed one had got is dropped, and it stands by."""
    holder, standby = holder_and_standby(bots, store)
    telegram.push()
    holder.wait_handled(telegram.pushed())
    given = telegram.wait_for(lambda row: row.how == "updates")
    telegram.wait_parked("a", after=given.seq)
    holder.send(signal.SIGSTOP)
    telegram.push(2)  # answered to the frozen one, which has not looked yet
    standby.wait_handled(telegram.pushed()[1:])
    heard = len(holder.said)
    holder.send(signal.SIGCONT)
    holder.wait_said(role="standby", since=heard)
    assert holder.handled == telegram.pushed()[:1]


def test_a_cluster_that_is_away_for_longer_than_a_lease(
    own_kubernetes_api: FakeKubernetes, telegram: Telegram, bots: Bots, store: str
) -> None:
    """Past its deadline the holder delivers nothing; when the API server is back each message comes once."""
    holder, standby = holder_and_standby(bots, store)
    own_kubernetes_api.stop()
    holder.wait(lambda bot: any("does not answer" in said.get("trouble", "") for said in bot.said))
    time.sleep(LEASE)  # past its deadline, whether its poll is still open or not
    telegram.push()
    time.sleep(0.5)
    before = sum(bots.handled().values())
    own_kubernetes_api.start()
    assert (before, set(bots.wait_all_handled().values())) == (0, {1})
    assert "Traceback" not in holder.log + standby.log


def test_the_loss_of_all_leases_is_survived(
    own_kubernetes_api: FakeKubernetes, telegram: Telegram, bots: Bots, store: str
) -> None:
    """Somebody deletes everything: new sessions, a later term, and each message is handled once."""
    holder, standby = holder_and_standby(bots, store)
    first = holder.wait_said(role="polling")["term"]
    heard = {bot: len(bot.said) for bot in (holder, standby)}
    time.sleep(1.01)  # creation times are whole seconds
    for name in own_kubernetes_api.leases():
        with suppress(Refused):  # it went with the one that owns it
            own_kubernetes_api.delete(name)
    for bot in (holder, standby):
        bot.wait_said(session="opened", since=heard[bot])
    telegram.push(3)
    assert set(bots.wait_all_handled().values()) == {1}
    terms = [
        said["term"] for bot in heard for said in bot.said[heard[bot] :] if said.get("role") == "polling"
    ]
    assert terms
    assert min(terms) > first
