"""Act 3: `kill -9` of whoever polls, under load, several times; the median is judged, order always."""

from __future__ import annotations

import random
import time
from statistics import median

from onepoller.demo.bots import PATIENCE
from onepoller.demo.changes import change, order, poller
from onepoller.demo.crew import Crew
from onepoller.demo.fates import Fates
from onepoller.demo.screen import Screen
from onepoller.demo.stage import Act, Stage
from onepoller.demo.verdict import Finding, duration, none_of, under

EVERY = 0.2
BURST = 4
SETTLE = 0.2
MEDIAN_BOUND = 0.010
BOUND = 0.050


def _play(stage: Stage) -> list[Finding]:
    closing: list[float] = []
    gaps: list[float] = []
    with stage.guarded.load(every=EVERY, streams=BURST) as since, stage.screen.moving() as show:
        for number in range(1, stage.pace.kills + 1):
            time.sleep(stage.pace.between + random.uniform(0, EVERY))
            closed, gap = kill(stage.guarded, stage.screen)
            closing.append(closed)
            gaps.append(gap)
            stage.guarded.join("standby")
            show(number / stage.pace.kills, ())
    fates = stage.guarded.settled(since=since)
    return [
        *order(stage.guarded.rows(since=since)),
        *_times(gaps, closing, stage.pace.slack),
        *_messages(fates),
    ]


def kill(crew: Crew, screen: Screen) -> tuple[float, float]:
    """Kill whoever polls; gives the time until its files were closed, and from then to the next poll."""
    victim = crew.named(poller(crew.rows()))
    killed_at = crew.control.now()
    victim.kill()
    time.sleep(SETTLE)  # no question to the server while the time is taken
    crew.control.wait_for(
        lambda row: (
            row.bot_id == crew.bot_id
            and row.is_poll
            and row.poller != victim.name
            and row.arrived_at >= killed_at
        ),
        timeout=PATIENCE,
    )
    crew.leave(victim)
    found = change(crew.rows(), victim.name, since=killed_at)
    assert found is not None  # the row that was waited for
    closed = found.ended_at - killed_at
    screen.tell(
        f"{victim.name} was killed, its files were closed {duration(closed)} later; "
        f"{duration(found.gap)} after that {found.successor} polled."
    )
    return closed, found.gap


def _times(gaps: list[float], closing: list[float], slack: float) -> list[Finding]:
    middle = f"from the closing of its files to the next poll, median of {len(gaps)}"
    return [
        under(middle, median(gaps), MEDIAN_BOUND * slack),
        under("the same, longest", max(gaps), BOUND * slack),
        Finding(what="from kill -9 to the closing of its files, median", measured=duration(median(closing))),
    ]


def _messages(fates: Fates) -> list[Finding]:
    return [
        none_of("messages lost between two pollers", fates.lost_between, of=str(fates.sent)),
        Finding(
            what="lost in the killed framework's own queue (confirmed, not yet handled)",
            measured=str(fates.lost_in_queue),
        ),
        Finding(
            what="given to a killed one, not confirmed, so delivered again",
            measured=f"{fates.delivered_twice}, handled twice: {fates.handled_twice}",
        ),
    ]


ACT = Act(
    title="kill -9 under load",
    story="Twenty messages a second, and whoever polls is killed without warning; the standby sees the "
    "kernel close the dead process's lock. python-telegram-bot confirms messages before it handles them, so "
    "what waits in its own queue dies with it: that is counted apart.",
    play=_play,
)
