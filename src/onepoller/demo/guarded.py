"""Act 2: the same two programs with one more line, `guard(builder)`."""

from __future__ import annotations

from onepoller.coordination.tenure import LOOK_AT_START, TRIAL
from onepoller.demo.changes import order, poller
from onepoller.demo.stage import Act, Stage
from onepoller.demo.verdict import Finding, none_of
from onepoller.testing.botapi import polls, tallies

EVERY = 0.5
ESTABLISHED_AFTER = LOOK_AT_START + TRIAL
"""Who has had the bot for so long leaves a tenure to its successor, even if it is killed, seconds."""


def _play(stage: Stage) -> list[Finding]:
    (first,) = stage.guarded.running
    first.wait_role("polling")
    stage.guarded.join("standby")

    def lines() -> list[str]:
        counted = tallies(stage.guarded.rows())
        shown = []
        for bot in stage.guarded.running:
            tally = counted.get(bot.name)
            what = f"{tally.updates:3} messages, {tally.conflicts:2} times 409" if tally else "stands by"
            shown.append(f"{bot.name}: {what}")
        return shown

    with stage.guarded.load(every=EVERY) as since:
        stage.watch(max(stage.pace.guarded, _trial_left(stage)), lines)
    fates = stage.guarded.settled(since=since)
    rows = stage.guarded.rows()
    pollers = tallies(rows)
    tracebacks = sum(bot.traceback_lines() for bot in stage.guarded.running)
    return [
        Finding(
            what="who polls",
            promised="one",
            measured=", ".join(pollers) or "nobody",
            is_kept=list(pollers) == [poller(rows)],
        ),
        *order(rows),
        none_of("messages lost", fates.lost_between + fates.lost_in_queue, of=str(fates.sent)),
        none_of("lines of traceback in the logs", tracebacks),
    ]


def _trial_left(stage: Stage) -> float:
    """Seconds until whoever polls is established: act 5 is about an incumbent, and tenure is passed on."""
    (began, *_) = polls(stage.guarded.rows())
    return began.arrived_at + ESTABLISHED_AFTER - stage.control.now()


ACT = Act(
    title="The same two, guarded",
    story="The program has one more line: guard(builder). One of the two polls, the other one stands by: its "
    "getUpdates takes its time and brings nothing, so the framework notices nothing. (The first one began "
    "with act 1.)",
    play=_play,
)
