"""SIGSTOP and SIGCONT of the holder: a lease later the standby polls; the thawed one delivers nothing."""

from __future__ import annotations

import signal
import time

import pytest

from onepoller.testing.botapi import duplicates
from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import Bots

pytestmark = pytest.mark.slow
LEASE = 2.0


@pytest.mark.parametrize("kind", ["ptb", pytest.param("bare", marks=pytest.mark.soak)])
def test_a_frozen_holder_is_followed_after_its_lease(telegram: Telegram, bots: Bots, kind: str) -> None:
    """Not before the lease, and not long after; thawed, it drops what it had got, and stands by."""
    start = bots.ptb if kind == "ptb" else bots.bare
    holder = start("a", lease=LEASE)
    telegram.wait_parked("a")
    standby = start("b", lease=LEASE)
    standby.wait_said(role="standby")
    telegram.push()
    holder.wait(lambda bot: bool(bot.handled))
    given = telegram.wait_for(lambda row: row.how == "updates")
    telegram.wait_parked("a", after=given.seq)

    frozen_at = time.monotonic()
    holder.send(signal.SIGSTOP)
    telegram.push(2)  # answered to the frozen one, which has not looked yet
    standby.wait_handled(telegram.pushed()[1:])
    assert 0.6 * LEASE < time.monotonic() - frozen_at < LEASE + 1 + 3

    heard = len(holder.said)
    holder.send(signal.SIGCONT)
    holder.wait_said(role="standby", since=heard)
    telegram.push()
    standby.wait_handled(telegram.pushed()[1:])
    assert holder.handled == telegram.pushed()[:1]
    assert set(duplicates(telegram.rows())) <= set(telegram.pushed()[1:3])


def test_a_holder_that_thaws_before_anybody_came_goes_on(telegram: Telegram, bots: Bots) -> None:
    """Past its deadline it confirms that it is still the one, and delivers."""
    holder = bots.bare("a", lease=LEASE)
    telegram.wait_parked("a")
    holder.send(signal.SIGSTOP)
    time.sleep(LEASE + 0.5)
    heard = len(holder.said)
    telegram.push()
    holder.send(signal.SIGCONT)
    holder.wait_handled(telegram.pushed())
    assert not [said for said in holder.said[heard:] if "dropped" in said or said.get("session") == "lost"]
