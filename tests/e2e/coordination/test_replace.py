"""`start="replace"`, alone and by the dozen: one poller, and the losers stand by or end with 75."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from onepoller.coordination import killing
from onepoller.coordination.identity import Identity, own_identity, start_ticks
from onepoller.testing.botapi import conflicts, overlaps, polls
from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import Bots, Herd

pytestmark = pytest.mark.slow
MANY = 12


def start_many(herd: Herd, batch: int) -> None:
    """A dozen at once, each told to replace whoever polls."""
    for number in range(MANY):
        herd.fork(f"{batch}.{number}", start="replace", lease=10)


def wait_for_one(herd: Herd, batch: int) -> None:
    """Wait until one of this batch polls, and everybody else who lives stands by."""

    def is_settled(_: object) -> bool:
        roles = {name: role for name, role in herd.roles().items() if name in herd.living}
        pollers = [name for name, role in roles.items() if role == "polling"]
        standbys = list(roles.values()).count("standby")
        return [name.partition(".")[0] for name in pollers] == [str(batch)] and standbys == len(
            herd.living
        ) - 1

    herd.parent.wait(is_settled)


def test_many_at_once_over_a_living_holder(telegram: Telegram, bots: Bots) -> None:
    """Again and again: in the end a newcomer polls, and everybody else stands by, the holder too."""
    herd = bots.herd("bare")
    herd.fork("old")
    telegram.wait_parked("old")
    for batch in range(3):
        start_many(herd, batch)
        wait_for_one(herd, batch)
    assert (overlaps(telegram.rows()), conflicts(telegram.rows())) == ([], [])


def test_many_at_once_over_a_crashed_predecessor(telegram: Telegram, bots: Bots) -> None:
    """Again and again, over the files of the dead: one polls, and everybody else stands by."""
    herd = bots.herd("bare")
    for batch in range(3):
        start_many(herd, batch)
        wait_for_one(herd, batch)
        herd.clear()
    assert (overlaps(telegram.rows()), conflicts(telegram.rows())) == ([], [])


@pytest.mark.parametrize("kind", ["ptb", "bare"])
@pytest.mark.parametrize("has_holder", [True, False], ids=["over a holder", "over nobody"])
def test_losers_that_must_not_stand_by_end_with_75(
    telegram: Telegram, bots: Bots, kind: str, *, has_holder: bool
) -> None:
    """One gets the bot, the others end with 75; who was replaced among them does so too."""
    if has_holder:
        bots.bare("old")
        telegram.wait_parked("old")
    herd = bots.herd(kind)
    names = {str(number) for number in range(5)}
    for name in names:
        herd.fork(name, start="replace", no_standby=1, lease=10)
    herd.parent.wait(lambda _: len(herd.codes()) >= len(names) - 1)
    losers = herd.codes().keys()
    assert herd.codes() == dict.fromkeys(losers, 75)
    telegram.push()
    herd.parent.wait_handled(telegram.pushed())
    assert {telegram.poller()} == names - losers
    assert (overlaps(telegram.rows()), conflicts(telegram.rows())) == ([], [])


@pytest.mark.parametrize("kind", ["ptb", "bare"])
def test_a_newcomer_that_must_not_stand_by_ends_beside_a_holder(
    telegram: Telegram, bots: Bots, kind: str
) -> None:
    """It names the holder in its log, ends with 75 for its supervisor, and has sent no poll."""
    holder = bots.bare("old")
    telegram.wait_parked("old")
    newcomer = (bots.ptb if kind == "ptb" else bots.bare)("new", no_standby=1)
    assert newcomer.ended() == 75
    assert f"pid {holder.pid} ('old') polls this bot" in newcomer.log
    assert {row.poller for row in polls(telegram.rows())} == {"old"}


def test_a_holder_that_does_not_answer_is_ended_where_asked(telegram: Telegram, bots: Bots) -> None:
    """Its event loop is blocked, so it cannot hand over: SIGTERM after `kill_after`; the newcomer polls."""
    holder = bots.bare("a", lease=3600)
    telegram.wait_parked("a")
    holder.tell("block", "3600")
    newcomer = bots.bare("b", start="replace", kill_after=0.5, lease=3600)
    assert holder.ended() == -signal.SIGTERM
    newcomer.wait_said(role="polling")
    telegram.push()
    newcomer.wait_handled(telegram.pushed())
    assert (overlaps(telegram.rows()), conflicts(telegram.rows())) == ([], [])


@pytest.mark.soak
def test_a_frozen_holder_is_ended_where_asked(telegram: Telegram, bots: Bots) -> None:
    """SIGSTOP: SIGTERM waits in vain, SIGKILL does not; long before the lease ends the newcomer polls."""
    holder = bots.bare("a", lease=3600)
    telegram.wait_parked("a")
    holder.send(signal.SIGSTOP)
    newcomer = bots.bare("b", start="replace", kill_after=0, replace_after=300, lease=3600)
    assert holder.ended(timeout=killing.TERM_WAIT + 15) == -signal.SIGKILL
    newcomer.wait_said(role="polling")
    assert (overlaps(telegram.rows()), conflicts(telegram.rows())) == ([], [])


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """Give a process that has nothing to do with any of this."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import time; print(flush=True); time.sleep(3600)"], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def identity_of(process: subprocess.Popen[bytes]) -> Identity:
    """What that process would say of itself."""
    ticks = start_ticks(process.pid)
    assert ticks is not None
    return replace(own_identity(), pid=process.pid, start_ticks=ticks)


def test_the_process_that_is_meant_is_found(sleeper: subprocess.Popen[bytes]) -> None:
    """Else the next test would prove nothing."""
    pidfd = killing.open_pidfd(identity_of(sleeper))
    assert pidfd is not None
    os.close(pidfd)


def test_a_frozen_process_is_ended_hard(sleeper: subprocess.Popen[bytes]) -> None:
    """SIGTERM waits for its thaw; SIGKILL does not."""
    os.kill(sleeper.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, sleeper.pid, os.WSTOPPED | os.WNOWAIT)
    asyncio.run(killing.kill(identity_of(sleeper), term_wait=0.2))
    assert sleeper.wait() == -signal.SIGKILL


@pytest.mark.parametrize("other", [{"start_ticks": 1}, {"boot_id": "another"}, {"pid_namespace": 1}])
def test_a_pid_that_was_used_again_is_not_hit(
    sleeper: subprocess.Popen[bytes], other: dict[str, object]
) -> None:
    """Another start time, boot or namespace: another process, which is left alone."""
    asyncio.run(killing.kill(replace(identity_of(sleeper), **other), term_wait=0.1))  # type: ignore[arg-type]  # one field
    assert sleeper.poll() is None
