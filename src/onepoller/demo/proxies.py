"""Act 6: bots that know nothing of onepoller, each behind its own proxy; the pair that polls is killed."""

from __future__ import annotations

import random
import time
from statistics import median

from onepoller.demo.bots import PATIENCE, Bot
from onepoller.demo.changes import order
from onepoller.demo.fates import Fates
from onepoller.demo.kills import BOUND, MEDIAN_BOUND, kill
from onepoller.demo.pairs import Pair
from onepoller.demo.stage import Act, Stage
from onepoller.demo.verdict import Finding, duration, none_of, under

EVERY = 0.1
CONFLICT = 409


def _play(stage: Stage) -> list[Finding]:
    stage.screen.tell(stage.language.words)
    pairs, gaps = stage.pairs, []
    while stage.bare.spare:
        began_at = stage.control.now()
        stage.bare.begin()
    pairs.join("polling")
    pairs.join("standby")
    with pairs.load(every=EVERY) as since, stage.screen.moving() as show:
        for number in range(1, stage.pace.pairs + 1):
            time.sleep(stage.pace.between + random.uniform(0, EVERY))
            gaps.append(kill(pairs, stage.screen)[1])
            if pairs.spare:
                pairs.join("standby")
            show(number / stage.pace.pairs, ())
        time.sleep(stage.pace.between)
    fates = pairs.settled(since=since)
    return [
        *order(pairs.rows(since=since)),
        under(
            f"from the closing of its files to the other's poll, median of {len(gaps)}",
            median(gaps),
            MEDIAN_BOUND * stage.pace.slack,
        ),
        under("the same, longest", max(gaps), BOUND * stage.pace.slack),
        *_messages(fates),
        *_clients([*pairs.running, *pairs.gone]),
        _without(stage, began_at),
    ]


def _messages(fates: Fates) -> list[Finding]:
    """A loop that handles before it confirms loses nothing, and may be given again what it had handled."""
    return [
        none_of("messages lost", fates.lost_between + fates.lost_in_queue, of=str(fates.sent)),
        Finding(
            what="handled, not confirmed when it was killed, so handled twice",
            measured=str(fates.handled_twice),
        ),
    ]


def _clients(bots: list[Bot]) -> list[Finding]:
    refused = sum(said.get("refused") == CONFLICT for bot in bots for said in bot.said)
    exits = sum(isinstance(bot, Pair) and bot.has_left for bot in bots)
    return [
        none_of("409 answers that a bot saw", refused),
        none_of("bots that exited", exits, of=str(len(bots))),
    ]


def _without(stage: Stage, since: float) -> Finding:
    """Tell how two of them fare without onepoller: the first 409, and what it did to its bot."""
    bare = stage.bare
    row = stage.control.wait_for(
        lambda row: row.bot_id == bare.bot_id and row.how == "conflict" and row.ended_at is not None,
        timeout=PATIENCE,
    )
    hit = bare.named(row.poller)
    assert row.ended_at is not None
    measured = f"the first 409 after {duration(row.ended_at - since)}"
    if stage.language.exits_on_conflict:
        measured += f", {hit.name} exited with status {hit.ended()}"
    for bot in bare.running:
        bot.kill()
    return Finding(what="two of these bots without onepoller", measured=measured)


ACT = Act(
    title="Bots in any language, behind proxies",
    story="Two bots poll one token, each through an `onepoller proxy` of its own on this host. Nothing in "
    "them is changed but their base URL. Ten messages a second; the proxy that polls is killed without "
    "warning, together with its bot.",
    play=_play,
)
