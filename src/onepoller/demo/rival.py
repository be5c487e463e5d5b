"""Act 5: a foreign program polls with the token for some seconds; no store knows it.

That an episode was opened and resolved, and that polling went on, is the bot's own news; all else is read at
the server.
"""

from __future__ import annotations

from typing import Any

from onepoller.demo.bots import Bot
from onepoller.demo.changes import poller
from onepoller.demo.stage import Act, Stage
from onepoller.demo.verdict import Finding, duration, none_of
from onepoller.testing.botapi import Pushed, Row, Tally, conflicts, overlaps, polls, tallies

EVERY = 0.5
RIVAL = "foreign script"
BEHAVIOUR = "telebot"
BACK_BOUND = 15.0
FIRST_ANSWER = 2.0
QUIET = 10.0
"""An episode ends no sooner than so long after the last 409."""


def _play(stage: Stage) -> list[Finding]:
    ours = stage.guarded.named(poller(stage.guarded.rows()))
    tracebacks, heard = ours.traceback_lines(), len(ours.said)
    with stage.guarded.load(every=EVERY) as since:

        def lines() -> list[str]:
            counted = tallies(stage.guarded.rows(since=since))
            return [_line(name, counted.get(name, Tally())) for name in (ours.name, RIVAL)]

        stage.control.start_rival(stage.guarded.bot_id, BEHAVIOUR, name=RIVAL)
        stage.watch(stage.pace.rival, lines)
        stage.control.stop_rival(RIVAL)
        gone_at = stage.control.now()
        stage.screen.tell(f"The script has ended. The episode is over after {QUIET:g} s without a 409.")
        stage.watch(QUIET, lines)
        ours.wait_said("closed")
    rows = stage.guarded.rows(since=since)
    return [
        *_episode(ours, ours.said[heard:], rows),
        *_messages(ours, rows, gone_at),
        _back(ours, rows, stage.guarded.pushed(since=since), gone_at),
        none_of("two of ours at the same time", _own_overlaps(rows)),
        none_of("lines of traceback in the log", ours.traceback_lines() - tracebacks),
    ]


def _line(name: str, tally: Tally) -> str:
    return f"{name:<14} {tally.updates:3} messages, {tally.conflicts:2} times 409"


def _episode(ours: Bot, news: list[dict[str, Any]], rows: list[Row]) -> list[Finding]:
    opened = [said["opened"] for said in news if "opened" in said]
    stands_by = any(said.get("stands_by") for said in news)
    closed = [said for said in news if "closed" in said]
    seen = sum(row.poller == ours.name for row in conflicts(rows))
    told = sum(said["conflicts"] for said in closed)
    return [
        Finding(
            what="episodes opened",
            promised="1, rival",
            measured=f"{len(opened)}, {', '.join(opened)}",
            is_kept=opened == ["rival"],
        ),
        Finding(
            what="polling goes on",
            promised="yes",
            measured="no, the bot was left to the script" if stands_by else "yes",
            is_kept=not stands_by,
        ),
        Finding(
            what="episodes resolved, and the 409 answers counted in them",
            promised=f"1, with {seen}",
            measured=f"{len(closed)}, with {told}, after {duration(sum(said['seconds'] for said in closed))}",
            is_kept=[said["resolution"] for said in closed] == ["rival_gone"] and told == seen,
        ),
    ]


def _messages(ours: Bot, rows: list[Row], gone_at: float) -> list[Finding]:
    """Who got what: in all, and from the moment on at which our first answer to a 409 has had its effect."""
    first = next(
        (row.ended_at for row in conflicts(rows) if row.poller == ours.name and row.ended_at), gone_at
    )
    return [
        Finding(what="messages during the fight", measured=_shares(ours, rows, 0.0, gone_at)),
        Finding(
            what=f"of these, from {FIRST_ANSWER:g} s after our first 409 on",
            measured=_shares(ours, rows, first + FIRST_ANSWER, gone_at),
        ),
    ]


def _shares(ours: Bot, rows: list[Row], start: float, end: float) -> str:
    counted = tallies([row for row in rows if row.ended_at and start <= row.ended_at < end])
    kept, taken = (counted.get(name, Tally()).updates for name in (ours.name, RIVAL))
    return f"{kept} to us, {taken} to the script"


def _back(ours: Bot, rows: list[Row], pushed: list[Pushed], gone_at: float) -> Finding:
    """Judge how long the first message that waited when the rival had gone, or came then, had to wait."""
    sent_at = {made.update_id: made.at for made in pushed}
    waits = [
        row.ended_at - max(gone_at, sent_at.get(row.update_ids[0], gone_at))
        for row in polls(rows)
        if row.poller == ours.name and row.update_ids and row.ended_at and row.ended_at >= gone_at
    ]
    return Finding(
        what="the first message after the script's end waits",
        promised=f"< {duration(BACK_BOUND)}",
        measured=duration(waits[0]) if waits else "for ever",
        is_kept=bool(waits) and waits[0] < BACK_BOUND,
    )


def _own_overlaps(rows: list[Row]) -> int:
    return sum(RIVAL not in (overlap.first.poller, overlap.second.poller) for overlap in overlaps(rows))


ACT = Act(
    title="A foreign program",
    story="Somebody starts another bot framework with the same token, somewhere else. We hold the claim, so "
    "a 409 must come from outside: it is one episode, told once. Our bots have polled since act 1, each as "
    "the heir of the one before: the incumbent holds, and polling goes on. (A bot that had just begun would "
    "yield. Telegram holds many a 409 back for 3 s. Who waits for one gets nothing meanwhile: the first "
    "seconds may be the script's.)",
    play=_play,
)
