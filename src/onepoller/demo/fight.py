"""Act 1: two plain python-telegram-bot processes poll one token. Nothing is promised; it is what there is."""

from __future__ import annotations

from onepoller.demo.stage import Act, Stage
from onepoller.demo.verdict import Finding
from onepoller.testing.botapi import Tally, tallies

EVERY = 0.5


def _play(stage: Stage) -> list[Finding]:
    last: dict[str, tuple[Tally, int]] = {}

    def lines() -> list[str]:
        counted = tallies(stage.plain.rows())
        for bot in stage.plain.running:
            last[bot.name] = counted.get(bot.name, Tally()), bot.traceback_lines()
        return [
            f"{name}: {tally.updates:3} messages, {tally.conflicts:2} times 409, {count:4} traceback lines"
            for name, (tally, count) in last.items()
        ]

    while stage.plain.spare:
        stage.plain.begin()
    with stage.plain.load(every=EVERY):
        stage.watch(stage.pace.fight, lines)
    for bot in stage.plain.running:
        bot.kill()
    messages = ", ".join(f"{name}: {tally.updates}" for name, (tally, _) in last.items())
    conflicts = sum(tally.conflicts for tally, _ in last.values())
    tracebacks = sum(count for _, count in last.values())
    return [
        Finding(what="messages that each got", measured=messages),
        Finding(what="409 answers", measured=str(conflicts)),
        Finding(what="lines of traceback in the logs", measured=str(tracebacks)),
    ]


ACT = Act(
    title="Two plain bots",
    story="Two copies of one python-telegram-bot program poll with one token. Telegram serves one poll at a "
    "time: the newer one wins, the older one is answered 409 Conflict, and comes back to win in its turn.",
    play=_play,
)
