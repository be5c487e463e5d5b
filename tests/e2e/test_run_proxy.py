"""`onepoller run --proxy`: the polls are seen, so rivals, offsets and dead poll loops are dealt with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import Bots
from tests.e2e.bots.runs import (
    UNGUARDED,
    Runs,
    assert_undisturbed,
    has_ended,
    in_standby,
    pid_of,
    start_behind_proxy,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def runs(bots: Bots, tmp_path: Path) -> Runs:
    """Give a maker of `onepoller run` processes."""
    return Runs(bots, tmp_path)


def test_with_a_proxy_a_handover_loses_nothing(telegram: Telegram, bots: Bots, runs: Runs) -> None:
    """Each message is handled once, though they come all the time; the child without the claim is ended."""
    holder = start_behind_proxy(runs, telegram, "a")
    holder.wait_said(began="a")
    standby = start_behind_proxy(runs, telegram, "b")
    in_standby(standby)
    assert standby.said == []
    telegram.push(1000, every=0.1)
    holder.wait(lambda bot: len(bot.handled) >= 5)
    result = bots.run("handover", str(telegram.bot_id))
    assert (result.returncode, result.stderr) == (0, "")
    standby.wait(lambda bot: len(bot.handled) >= 5)
    holder.wait_said(ended="a")
    assert set(bots.wait_all_handled().values()) == {1}
    assert_undisturbed(telegram)


def test_with_a_proxy_the_bot_never_sees_a_409(telegram: Telegram, bots: Bots, runs: Runs) -> None:
    """A rival outside of the store: `run` deals with it, and says so; the bot goes on."""
    holder = start_behind_proxy(runs, telegram, "a")
    holder.wait_said(began="a")
    telegram.push()
    holder.wait_handled(telegram.pushed())
    rival = subprocess.Popen(
        [sys.executable, UNGUARDED, "rival", telegram.url, telegram.token],
        env=bots.environment({}),
        stdout=subprocess.DEVNULL,
    )
    try:
        holder.wait(lambda bot: "is also polled by somebody who is not in our store" in bot.log)
    finally:
        rival.kill()
        rival.wait()
    telegram.push()
    holder.wait_handled(telegram.pushed()[-1:])
    assert [said for said in holder.said if "refused" in said] == []


def test_with_a_proxy_a_bot_that_stops_polling_is_started_anew(telegram: Telegram, runs: Runs) -> None:
    """A frozen bot loses the claim by the stall rule; SIGKILL, after its grace, and another one polls."""
    holder = start_behind_proxy(runs, telegram, "a", run="--grace 0.5", stall_limit=1)
    telegram.wait_for(lambda row: row.is_poll and row.parked_at is not None)
    frozen = pid_of(holder)
    os.kill(frozen, signal.SIGSTOP)
    holder.wait(lambda bot: len([said for said in bot.said if "began" in said]) == 2, timeout=40)
    assert has_ended(frozen)
    telegram.push()
    holder.wait_handled(telegram.pushed())


def test_with_a_proxy_a_bot_that_is_slow_to_start_polls_after_a_restart(
    telegram: Telegram, runs: Runs
) -> None:
    """For longer than the proxy keeps a bot whose clients have gone: here `run` keeps it."""
    holder = start_behind_proxy(runs, telegram, "a", run="--restart always", starting=1.5)
    holder.wait_said(began="a")
    telegram.push()
    holder.wait_handled(telegram.pushed())
    os.kill(pid_of(holder), signal.SIGKILL)
    holder.wait(lambda bot: len([said for said in bot.said if "began" in said]) == 2)
    telegram.push()
    holder.wait_handled(telegram.pushed())


DIES_ONCE = """
test -e "$5" || { touch "$5"; set -- "$@" --crash-over 3; }
exec "$1" "$2" "$3" "$TELEGRAM_API_ROOT" "$4" $6 $7
"""


def test_with_a_proxy_a_bot_that_dies_over_a_batch_is_followed_at_once(
    telegram: Telegram, runs: Runs, tmp_path: Path
) -> None:
    """The next child is given the batch again: nobody waits for the handlers of the one that is dead."""
    died = str(tmp_path / "died once")
    child = ["sh", "-c", DIES_ONCE, "sh", sys.executable, UNGUARDED, "a", telegram.token, died]
    ours = f"--proxy --api-root {telegram.url} --restart always"
    holder = runs.command("a", child, run=ours, on_rival="hold")
    for _ in range(2):  # each over a new connection
        telegram.wait_for(lambda row: row.is_poll and row.how == "empty", after=telegram.last())
    telegram.push()
    holder.wait_handled(telegram.pushed())
    rows = [row for row in telegram.rows() if row.update_ids]
    assert [row.update_ids for row in rows] == [tuple(telegram.pushed())] * 2
