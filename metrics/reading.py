"""A look at the ledger, and what follows from it: the numbers that are derived when they are asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter

from onepoller.coordination.events import Certainty
from onepoller.metrics import catalogue
from onepoller.metrics.catalogue import Labels, Level, Metric
from onepoller.metrics.histogram import Histogram
from onepoller.metrics.tally import Tally

PROBLEMS_SHOWN = 200
"""Of so many bots the problems are exported one by one."""

COLUMNS: Mapping[Metric, Callable[[Tally], float]] = {
    catalogue.CLAIM_HELD: attrgetter("held"),
    catalogue.LAST_POLL: attrgetter("last_poll"),
    catalogue.CLAIM_ACQUIRED: attrgetter("held_since"),
    catalogue.CLAIM_TERM: attrgetter("term"),
    catalogue.BOT_CONFLICTS: attrgetter("episodes"),
    catalogue.BOT_ACQUISITIONS: attrgetter("acquisitions"),
    catalogue.BOT_GAPS: attrgetter("gaps"),
    catalogue.BOT_POLLS: attrgetter("polls"),
    catalogue.BOT_RECEIVED: attrgetter("received"),
    catalogue.BOT_DROPPED: attrgetter("dropped"),
    catalogue.BOT_STANDBY: attrgetter("standby_seconds"),
}
"""The metrics of a bot that are one number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Everything at one moment. The tallies are live; all else is copied."""

    wall: float
    detail: Level
    poll_timeout: float
    certainty: Certainty
    lost: int
    """How many claims are lost, while `certainty` says so."""
    bots: tuple[Tally, ...]
    numbers: Mapping[Metric, dict[Labels, float]]
    histograms: Mapping[Metric, Mapping[Labels, Histogram]]

    def process(self) -> dict[Metric, dict[Labels, float]]:
        """Give the numbers without a bot label, those derived from the bots included."""
        roles: Counter[Labels] = Counter((bot.role.label,) for bot in self.bots)
        conflicts: Counter[Labels] = Counter((str(bot.conflict),) for bot in self.bots if bot.conflict)
        problems: Counter[Labels] = Counter((str(problem),) for _, problem in self._problems())
        return {
            **self.numbers,
            catalogue.BOTS: _by_label(catalogue.BOTS, roles),
            catalogue.CONFLICTS_OPEN: _by_label(catalogue.CONFLICTS_OPEN, conflicts),
            catalogue.BOTS_WITH_PROBLEM: _by_label(catalogue.BOTS_WITH_PROBLEM, problems),
            catalogue.CLAIMS: _by_label(catalogue.CLAIMS, {(str(self.certainty),): self._claims()}),
            catalogue.DETAIL_LEVEL: _by_label(catalogue.DETAIL_LEVEL, {(str(self.detail),): 1}),
        }

    def problems(self) -> list[Labels]:
        """List bot id and problem of the bots in trouble, the first `PROBLEMS_SHOWN` of them."""
        shown: dict[str, list[Labels]] = {}
        for bot_id, problem in self._problems():
            if bot_id not in shown and len(shown) == PROBLEMS_SHOWN:
                break
            shown.setdefault(bot_id, []).append((bot_id, problem))
        return [pair for pairs in shown.values() for pair in pairs]

    def shows(self, metric: Metric) -> bool:
        """Say whether the metric is exported at this level of detail."""
        return metric.level is not Level.FULL or self.detail is Level.FULL

    def _claims(self) -> int:
        return self.lost if self.certainty is Certainty.LOST else sum(bot.held for bot in self.bots)

    def _problems(self) -> Iterator[Labels]:
        for bot in self.bots:
            for problem in bot.problems(wall=self.wall, poll_timeout=self.poll_timeout):
                yield bot.label, str(problem)


def _by_label(metric: Metric, found: Mapping[Labels, int]) -> dict[Labels, float]:
    return {**dict.fromkeys(metric.values, 0), **found}
