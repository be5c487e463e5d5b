"""Each mistake is made, alone, and some runs are searched for one in which a check notices it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

from rich.box import SIMPLE_HEAD
from rich.table import Table

from tests.simulation.mistakes import MISTAKES, Mistake
from tests.simulation.runs import Key, Outcome, run

SEEDS = 8
"""So many are tried at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What came of the search for a run that shows a mistake."""

    mistake: Mistake
    tried: tuple[Key, ...]
    caught: str
    """What the check said; empty: none did."""

    @property
    def row(self) -> tuple[str, str, str]:
        """For the table."""
        key = self.tried[-1]
        return (
            self.mistake.name,
            f"{key.scenario}, {key.policy}, seed {key.seed}",
            self.caught or "NOT CAUGHT",
        )


@contextmanager
def planted(mistake: Mistake) -> Iterator[None]:
    """Make a mistake, for a while."""
    owner, name = mistake.owner, mistake.attribute
    if isinstance(owner, dict):
        right = owner[name]
        owner[name] = mistake.wrong
    else:
        right = owner.__dict__[name]
        setattr(owner, name, mistake.wrong)
    try:
        yield
    finally:
        if isinstance(owner, dict):
            owner[name] = right
        else:
            setattr(owner, name, right)


def search(mistake: Mistake) -> Search:
    """Play seed after seed with the mistake, until a check notices it."""
    tried: list[Key] = []
    for seed in range(mistake.first_seed, mistake.first_seed + SEEDS):
        key = Key(scenario=mistake.scenario, policy=mistake.policy, model=mistake.model, seed=seed)
        tried.append(key)
        with planted(mistake):
            found = run(key).breaches
        if found:
            return Search(mistake=mistake, tried=tuple(tried), caught=found[0])
    return Search(mistake=mistake, tried=tuple(tried), caught="")


@cache
def right(key: Key) -> Outcome:
    """The same run without a mistake."""
    return run(key)


def table(rows: Sequence[Sequence[str]]) -> Table:
    """What caught each mistake."""
    made = Table(title=f"{len(rows)} planted mistakes", title_justify="left", box=SIMPLE_HEAD)
    for name in ("mistake", "shown by", "what a check said"):
        made.add_column(name)
    for row in rows:
        made.add_row(*row)
    return made


def searches() -> Iterator[Search]:
    """All of them."""
    return map(search, MISTAKES)
