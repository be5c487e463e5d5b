"""`onepoller run` with real bots: one child polls, ends before the next begins, and outlives nobody."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

import pytest

from onepoller.testing.botapi import conflicts
from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import ROOT, Bot, Bots
from tests.e2e.bots.runs import Runs, assert_undisturbed, has_ended, in_standby, pid_of

pytestmark = pytest.mark.slow


@pytest.fixture
def runs(bots: Bots, tmp_path: Path) -> Runs:
    """Give a maker of `onepoller run` processes."""
    return Runs(bots, tmp_path)


@pytest.mark.parametrize("kind", ["raw", "shell", "ptb"])
def test_the_child_of_a_killed_run_dies_and_the_next_one_begins(
    telegram: Telegram, runs: Runs, kind: str
) -> None:
    """After kill -9 of `run` nothing of its child polls; the standby's child does; no 409."""
    holder = runs.start("a", kind=kind)
    telegram.wait_parked("a")
    standby = runs.start("b", kind=kind)
    in_standby(standby)
    assert standby.said == []
    child = pid_of(holder)
    holder.kill()
    telegram.wait_parked("b")
    telegram.push(3)
    standby.wait_handled(telegram.pushed())
    assert has_ended(child)
    assert_undisturbed(telegram)


@pytest.mark.parametrize("kind", ["raw", "shell", "ptb"])
def test_a_handover_ends_the_child_before_the_next_one_begins(
    telegram: Telegram, bots: Bots, runs: Runs, kind: str
) -> None:
    """`onepoller handover`, there and back: nothing is lost, nothing comes twice, nobody sees a 409."""
    cleaning = [] if kind == "ptb" else ["--cleaning", "0.5"]
    first = runs.start("a", *cleaning, kind=kind)
    telegram.wait_parked("a")
    second = runs.start("b", *cleaning, kind=kind)
    in_standby(second)
    for holder, heir in ((first, second), (second, first)):
        telegram.push()
        holder.wait_handled(telegram.pushed()[-1:])
        told = telegram.last()
        telegram.wait_parked(holder.name, after=told - 1)
        result = bots.run("handover", str(telegram.bot_id))
        assert (result.returncode, result.stderr) == (0, "")
        telegram.wait_parked(heir.name, after=told)
    assert_undisturbed(telegram)
    if cleaning:
        ended = next(said["at"] for said in first.said if "ended" in said)
        began = next(said["at"] for said in second.said if "began" in said)
        assert ended < began


def test_sigterm_goes_to_the_child_whose_exit_code_is_passed_on(telegram: Telegram, runs: Runs) -> None:
    """A bot that cleans up has its time, `run` ends with its code, and only then the standby begins."""
    holder = runs.start("a", "--cleaning", "0.5")
    telegram.wait_parked("a")
    standby = runs.start("b")
    in_standby(standby)
    holder.send(signal.SIGTERM)
    assert holder.ended() == 0
    began = standby.wait_said(began="b")["at"]
    assert holder.wait_said(ended="a")["at"] < began
    telegram.wait_parked("b")
    assert_undisturbed(telegram)


def test_a_bot_that_ignores_sigterm_is_killed_after_its_grace(telegram: Telegram, runs: Runs) -> None:
    """SIGKILL comes when the grace is over; the code says so."""
    holder = runs.start("a", "--stubborn", run="--grace 0.3")
    telegram.wait_parked("a")
    holder.send(signal.SIGTERM)
    assert holder.ended() == 128 + signal.SIGKILL
    assert "has not ended in 0.3 s: killed" in holder.log


def test_other_signals_reach_the_bot_and_end_nothing(telegram: Telegram, runs: Runs) -> None:
    """SIGUSR1 is forwarded once, and the bot goes on."""
    holder = runs.start("a")
    telegram.wait_parked("a")
    holder.send(signal.SIGUSR1)
    holder.wait_said(usr1="a")
    telegram.push()
    holder.wait_handled(telegram.pushed())
    assert [said for said in holder.said if "usr1" in said] == [{"pid": pid_of(holder), "usr1": "a"}]


def test_sigterm_in_standby_ends_with_0(telegram: Telegram, runs: Runs) -> None:
    """Nothing has failed, and no child was ever started."""
    runs.start("a")
    telegram.wait_parked("a")
    standby = runs.start("b")
    in_standby(standby)
    standby.send(signal.SIGTERM)
    assert (standby.ended(), standby.said) == (0, [])


def test_who_must_not_stand_by_ends_with_75(telegram: Telegram, runs: Runs) -> None:
    """ONEPOLLER_NO_STANDBY: no child is started, and the supervisor gets its code."""
    runs.start("a")
    telegram.wait_parked("a")
    refused = runs.start("b", no_standby=1)
    assert (refused.ended(), refused.said) == (75, [])


def test_after_a_crash_a_peer_goes_on_while_we_pause(telegram: Telegram, runs: Runs) -> None:
    """The claim goes with the child; the crashed one comes back as standby, not as a loop."""
    crashing = runs.start("a", "--crash", "3", run="--restart on-failure")
    crashing.wait(lambda bot: "ended with exit code 3; it may start again in" in bot.log)
    standby = runs.start("b")
    telegram.wait_parked("b")
    in_standby(crashing)
    telegram.push()
    standby.wait_handled(telegram.pushed())
    assert_undisturbed(telegram)


def test_a_replaced_database_ends_the_child_and_one_begins_anew(
    telegram: Telegram, bots: Bots, runs: Runs
) -> None:
    """The session is lost with the directory: the old child is ended before the new one starts."""
    holder = runs.start("a")
    telegram.wait_parked("a")
    child = pid_of(holder)
    last = telegram.last()
    bots.state.rename(bots.state.with_name("aside"))
    holder.wait(lambda bot: len([said for said in bot.said if "began" in said]) == 2)
    assert [sorted(said.keys() - {"pid", "at"}) for said in holder.said] == [["began"], ["ended"], ["began"]]
    telegram.wait_parked("a", after=last)
    assert has_ended(child)
    assert conflicts(telegram.rows()) == []


def test_a_run_that_was_frozen_ends_its_child_when_it_thaws(telegram: Telegram, runs: Runs) -> None:
    """The frozen one cannot: until it thaws both children poll. Then its child goes, the new one's stays."""
    holder = runs.start("a")
    telegram.wait_parked("a")
    standby = runs.start("b")
    in_standby(standby)
    holder.send(signal.SIGSTOP)
    standby.wait_said(began="b")
    assert [said for said in holder.said if "ended" in said] == []
    holder.send(signal.SIGCONT)
    holder.wait_said(ended="a")
    in_standby(holder)
    telegram.push()
    standby.wait_handled(telegram.pushed())


BOT_PY = """
import os
from telegram.ext import ApplicationBuilder, MessageHandler, filters
from tests.e2e.bots.saying import say

async def handle(update, _):
    say(handled=update.update_id)

token = os.environ["TELEGRAM_BOT_TOKEN"]
app = ApplicationBuilder().token(token).base_url(os.environ["ROOT"] + "/bot").build()
app.add_handler(MessageHandler(filters.TEXT, handle))
app.run_polling(timeout=2)
"""


def test_the_line_of_the_readme_is_run_as_it_stands(telegram: Telegram, bots: Bots, tmp_path: Path) -> None:
    """Two copies of it: one bot runs, and when its `run` is killed the other one does."""
    row = re.search(
        r"^\| a program that nobody can change \| `([^`]+)` ", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    assert row is not None
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "bot.py").write_text(BOT_PY)
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def start(name: str) -> Bot:
        theirs = {
            "PATH": programs,
            "TELEGRAM_BOT_TOKEN": telegram.token,
            "ROOT": f"{telegram.url}/_as/{name}",
        }
        command = ["sh", "-c", f'cd "$0" && exec {row[1]}', str(folder)]
        made = Bot(name, command, bots.environment({"label": name}) | theirs, tmp_path / f"{name}.log")
        bots._all.append(made)
        return made

    one = start("one")
    telegram.wait_parked("one")
    two = start("two")
    in_standby(two)
    telegram.push()
    one.wait_handled(telegram.pushed())
    telegram.wait_for(lambda row: row.poller == "one" and telegram.pushed()[-1] in row.confirmed)
    one.kill()
    telegram.wait_parked("two")
    telegram.push()
    two.wait_handled(telegram.pushed()[-1:])
    assert one.handled + two.handled == telegram.pushed()
    assert_undisturbed(telegram)
