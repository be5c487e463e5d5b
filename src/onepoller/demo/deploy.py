"""Act 4: rolling deploys in two ways: SIGTERM with a standby ready, and a new version that takes over."""

from __future__ import annotations

import time
from statistics import median

from onepoller.demo.bots import PATIENCE, Bot
from onepoller.demo.changes import Change, change, order, poller
from onepoller.demo.stage import Act, Stage
from onepoller.demo.verdict import Finding, duration, none_of, under

EVERY = 0.05
SETTLE = 0.25
BOUND = 0.020


def _play(stage: Stage) -> list[Finding]:
    stopped: list[Change] = []
    taken: list[Change] = []
    with stage.guarded.load(every=EVERY) as since, stage.screen.moving() as show:
        for number in range(1, stage.pace.deploys + 1):
            stopped.append(_stop(stage))
            taken.append(_take_over(stage))
            show(number / stage.pace.deploys, ())
        time.sleep(stage.pace.between)
    fates = stage.guarded.settled(since=since)
    return [
        *order(stage.guarded.rows(since=since)),
        _gap("SIGTERM with a standby", stopped, stage.pace.slack),
        _gap("start with takeover", taken, stage.pace.slack),
        none_of("messages lost", fates.lost_between + fates.lost_in_queue, of=str(fates.sent)),
        none_of("messages handled twice", fates.handled_twice, of=str(fates.sent)),
    ]


def _stop(stage: Stage) -> Change:
    time.sleep(stage.pace.between)
    old = stage.guarded.named(poller(stage.guarded.rows()))
    asked_at = stage.control.now()
    old.terminate()
    found = _changed(stage, old, asked_at)
    stage.screen.tell(f"{old.name} was sent SIGTERM: {found.successor} polled {duration(found.gap)} later.")
    stage.guarded.leave(old)
    return found


def _take_over(stage: Stage) -> Change:
    time.sleep(stage.pace.between)
    old = stage.guarded.named(poller(stage.guarded.rows()))
    asked_at = stage.control.now()
    new = stage.guarded.join("polling")
    found = _changed(stage, old, asked_at)
    stage.screen.tell(f"{new.name} started and took over: it polled {duration(found.gap)} after {old.name}.")
    old.wait_role("standby")
    return found


def _changed(stage: Stage, old: Bot, since: float) -> Change:
    time.sleep(SETTLE)  # no question to the server while the time is taken
    stage.control.wait_for(
        lambda row: row.is_poll and row.poller != old.name and row.arrived_at >= since, timeout=PATIENCE
    )
    found = change(stage.guarded.rows(), old.name, since=since)
    assert found is not None  # the row that was waited for
    return found


def _gap(how: str, changes: list[Change], slack: float) -> Finding:
    gaps = [found.gap for found in changes]
    note = f", longest {duration(max(gaps))}"
    return under(f"nobody polls at {how}, median of {len(gaps)}", median(gaps), BOUND * slack, note=note)


ACT = Act(
    title="Rolling deploys",
    story="Twenty messages a second. First the orchestrator's way: a standby is ready, and the old one gets "
    "SIGTERM. Then the other way: a new version starts with ONEPOLLER_START=takeover and asks the old one to "
    "hand over; the old one stands by from then on.",
    play=_play,
)
