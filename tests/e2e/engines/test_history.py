"""The checks of a history find each kind of violation that is planted, and nothing in a good one."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable

import pytest

from tests.e2e.engines.history import History
from tests.e2e.engines.verdicts import (
    deaf_times,
    doubled_updates,
    lost_updates,
    overlaps,
    shrunken_terms,
    stale_deliveries,
)

Line = tuple[object, ...]
CHECKS = (overlaps, stale_deliveries, shrunken_terms, doubled_updates)


def history(*lines: Line) -> History:
    """A history of these lines."""
    made = History()
    for kind, *fields in lines:
        made.add(str(kind), *fields)
    return made


def lived(session: str, start: float, end: float) -> Line:
    """One heartbeat that carries a session over a stretch."""
    return ("lived", session, start, end)


def grant(session: str, term: int, heard: float, *, sent: float | None = None, bot: int = 1) -> Line:
    """A claim that was asked for and got."""
    return ("grant", bot, session, term, heard if sent is None else sent, heard)


def ended(session: str, term: int, at: float, *, is_clean: bool = True, bot: int = 1) -> Line:
    """A claim that was let go."""
    return ("ended", bot, session, term, at, is_clean)


def freed(session: str, term: int, *, bot: int = 1) -> Line:
    """The store has said so."""
    return ("freed", bot, session, term)


def delivered(session: str, term: int, at: float, *updates: int, bot: int = 1) -> Line:
    """A batch."""
    return ("delivered", bot, session, term, at, updates)


HANDOVER = (
    lived("a", 0, 10),
    lived("b", 0, 10),
    grant("a", 1, 1),
    delivered("a", 1, 2, 1, 2),
    ended("a", 1, 3),
    grant("b", 2, 3.1),
    delivered("b", 2, 4, 3),
)
TAKEOVER = (
    lived("a", 0, 2),
    lived("a", 1.5, 3),
    lived("b", 0, 10),
    grant("a", 1, 1),
    delivered("a", 1, 2, 1, 2),
    grant("b", 2, 3.5),
    delivered("b", 2, 4, 1, 2, 3),
)


COULD_NOT_LET_GO = (
    lived("a", 0, 3),
    lived("b", 0, 10),
    grant("a", 1, 1),
    ended("a", 1, 1.5),
    grant("a", 1, 1.7),
    delivered("a", 1, 2, 1, 2),
    grant("b", 2, 3.5),
    delivered("b", 2, 4, 1, 2, 3),
)


DIED_AS_IT_LET_GO = (
    lived("a", 0, 3),
    lived("b", 0, 10),
    grant("a", 1, 1),
    delivered("a", 1, 2, 1, 2),
    ended("a", 1, 2.5),
    grant("b", 2, 3.5),
    delivered("b", 2, 4, 1, 2, 3),
)


@pytest.mark.parametrize("lines", [HANDOVER, TAKEOVER, COULD_NOT_LET_GO, DIED_AS_IT_LET_GO])
def test_nothing_is_found_in_a_good_history(lines: Iterable[Line]) -> None:
    """A handover; takeovers after which an unconfirmed batch comes again, also of one that was to let go."""
    assert [check(history(*lines)) for check in CHECKS] == [[], [], [], []]


@pytest.mark.parametrize(
    ("check", "lines"),
    [
        pytest.param(
            overlaps, [lived("a", 0, 3), lived("b", 0, 9), grant("a", 1, 1), grant("b", 2, 2.9)], id="early"
        ),
        pytest.param(
            overlaps,
            [
                *(lived("a", 0, 2), lived("a", 5, 7), lived("b", 0, 9)),
                *(grant("a", 1, 1), grant("b", 2, 3)),
            ],
            id="a deadline that comes back to life",
        ),
        pytest.param(
            overlaps,
            [*(lived("a", 0, 9), lived("a", 3, 0), lived("b", 0, 9)), grant("a", 1, 1), grant("b", 2, 2)],
            id="a deadline that goes back too late",
        ),
        pytest.param(
            overlaps,
            [
                *(lived("a", 0, 9), lived("b", 0, 9), lived("c", 0, 9)),
                *(grant("a", 1, 1), ended("a", 1, 8), grant("b", 2, 2), ended("b", 2, 3), grant("c", 3, 4)),
            ],
            id="inside another",
        ),
        pytest.param(
            stale_deliveries,
            [
                lived("a", 0, 3),
                lived("b", 0, 9),
                *(grant("a", 1, 1), grant("b", 2, 4)),
                delivered("a", 1, 5, 7),
            ],
            id="by one who was frozen",
        ),
        pytest.param(shrunken_terms, [grant("a", 5, 1), grant("b", 4, 2)], id="terms go back"),
        pytest.param(shrunken_terms, [grant("a", 5, 1), grant("b", 5, 2)], id="a term twice"),
        pytest.param(
            shrunken_terms, [grant("a", 5, 2, sent=1), grant("b", 5, 2, sent=1)], id="a term twice at once"
        ),
        pytest.param(
            doubled_updates,
            [*HANDOVER[:-1], delivered("b", 2, 4, 2)],
            id="again after a handover",
        ),
        pytest.param(
            doubled_updates,
            [*DIED_AS_IT_LET_GO, freed("a", 1)],
            id="again after a slow handover",
        ),
        pytest.param(
            doubled_updates, [*HANDOVER[:4], delivered("a", 1, 2.5, 2)], id="again by the same holder"
        ),
    ],
)
def test_each_planted_violation_is_found(
    check: Callable[[History], list[str]], lines: Iterable[Line]
) -> None:
    """By the check that is meant for it."""
    found = check(history(*lines))
    assert found
    assert all(sentence.startswith("bot 1: ") for sentence in found)


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([lived("a", 0, 3), lived("b", 0, 9), grant("a", 1, 1), grant("b", 2, 3)], id="deadline"),
        pytest.param(
            [lived("a", 0, 9), lived("b", 0, 9), grant("a", 1, 1), ("over", "a", 2), grant("b", 2, 2)],
            id="session over",
        ),
        pytest.param(
            [lived("a", 0, 9), lived("a", 2, 0), lived("b", 0, 9), grant("a", 1, 1), grant("b", 2, 2)],
            id="doubt: the deadline goes back",
        ),
        pytest.param(
            [lived("a", 0, 9), lived("b", 0, 9), grant("a", 1, 1), grant("b", 2, 2, bot=2)], id="other bots"
        ),
        pytest.param(
            [lived("a", 0, 2), lived("b", 0, 9), grant("a", 1, 5, sent=1), grant("b", 2, 4, sent=3)],
            id="an answer that came after the deadline",
        ),
    ],
)
def test_beliefs_end_where_nothing_would_be_delivered(lines: Iterable[Line]) -> None:
    """At the deadline, with the session, and never across bots; a late answer begins nothing."""
    assert [check(history(*lines)) for check in CHECKS] == [[], [], [], []]


def test_a_killed_process_believes_nothing_from_the_moment_before(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Its sessions are found by its pid."""
    file = tmp_path_factory.mktemp("history") / "one"
    file.write_text('["session", "a", 7]\n["lived", "a", 0, 9]\n["grant", 1, "a", 1, 1, 1]\n')
    (belief,) = History.read([file], deaths=[(7, 4.0)]).beliefs()
    assert (belief.start, belief.end) == (1, 4)
    assert History.read([file]).held([(2.0, 7), (2.0, 8), (0.5, None)]) == [1, 0, 0]


def test_what_nobody_delivered_is_found() -> None:
    """Of each bot by itself."""
    made = {1: range(1, 4), 2: range(1, 2)}
    assert lost_updates(history(*HANDOVER), made=made) == ["bot 2: 1 of 1, first 1"]


def test_a_deaf_time_is_measured_outside_of_what_is_excused() -> None:
    """From one delivery to the next; what lies in a window does not count, and windows may overlap."""
    heard = history(delivered("a", 1, 1, 1), delivered("a", 1, 2, 2), delivered("a", 1, 9, 3))
    assert deaf_times(heard, bots=[1], between=(0, 10), bound=6.9) == ["bot 1: 7.000 s up to 9.000"]
    assert deaf_times(heard, bots=[1], between=(0, 10), bound=7) == []
    excused = [(3.0, 5.0), (4.0, 6.0)]
    assert deaf_times(heard, bots=[1], between=(0, 10), bound=4, excused=excused) == []
    assert len(deaf_times(heard, bots=[1], between=(0, 10), bound=3.9, excused=excused)) == 1


def test_a_bot_that_is_never_served_is_deaf_all_the_time() -> None:
    """It has no line at all."""
    assert deaf_times(history(), bots=[1], between=(0, 10), bound=9) == ["bot 1: 10.000 s up to 10.000"]


def random_lines(chance: random.Random) -> list[Line]:
    """A short history of three sessions and one bot, good or bad."""
    lines: list[Line] = []
    for session in "abc":
        at = chance.uniform(0, 4)
        lines += [lived(session, at, at + chance.uniform(0, 4)), grant(session, chance.randint(1, 4), at)]
        if chance.random() < 0.5:
            lines.append(("over", session, at + chance.uniform(0, 4)))
        lines.append(delivered(session, chance.randint(1, 4), chance.uniform(0, 8), chance.randint(1, 2)))
    return lines


def test_the_checks_agree_with_a_plain_comparison_of_every_pair() -> None:
    """On a thousand random histories; found is found."""
    chance = random.Random(5)
    verdicts = set()
    for _ in range(1000):
        made = history(*random_lines(chance))
        beliefs = made.beliefs()
        do_overlap = any(
            one.session != other.session and one.start < other.end and other.start < one.end
            for one in beliefs
            for other in beliefs
        )
        is_stale = any(
            grant.term > delivery.term and grant.heard <= delivery.at
            for grant in made.grants
            for delivery in made.deliveries
        )
        assert (bool(overlaps(made)), bool(stale_deliveries(made))) == (do_overlap, is_stale)
        verdicts.add((do_overlap, is_stale))
    assert len(verdicts) == 4


@pytest.mark.slow
def test_half_a_million_lines_are_judged_in_seconds() -> None:
    """The checks sort and sweep: what a soak writes is no work."""
    made = History()
    for bot in range(100):
        for term in range(1, 1001):
            session = f"s{term % 7}"
            made.add("grant", bot, session, term, term - 0.1, term)
            made.add("delivered", bot, session, term, term + 0.5, [term])
            made.add("ended", bot, session, term, term + 0.8, True)
    for number in range(7):
        made.add("lived", f"s{number}", 0, 2000)
    started = time.monotonic()
    assert [check(made) for check in CHECKS] == [[], [], [], []]
    assert time.monotonic() - started < 20
