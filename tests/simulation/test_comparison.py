"""docs/comparison.md shows what the command gives, and what it says of the figures is so."""

from __future__ import annotations

import math
from itertools import pairwise
from random import Random
from statistics import median

import pytest

from tests.simulation.comparison import FILE, SETTINGS, as_text, fought, from_text, pages, python, values
from tests.simulation.contenders import CONFLICT, HABITS, OK, Contender
from tests.simulation.fights import CONTENDERS, POLICIES

WROTE, FOUND = from_text(FILE.read_text(encoding="utf-8"))
AGAIN = "python -m tests.simulation.comparison --write"
KEPT = ("onepoller hold", "onepoller auto")


def middles(setting: str, field: str) -> dict[str, float]:
    """The medians of all contenders."""
    return {name: median(values(of, field)) for name, of in FOUND[setting].items()}


def pauses(name: str, statuses: list[int], *, every: float = 1.0) -> list[float]:
    """How long a contender pauses after answers with these statuses."""
    contender = Contender(HABITS[name], Random(1))
    found = []
    for number, status in enumerate(statuses):
        assert contender.next_call()[0] == "getUpdates"
        found.append(contender.answered(status=status, now=number * every))
    return found


def test_five_tries_end_with_the_sixth_conflict() -> None:
    """Nothing is polled after it."""
    assert pauses("five tries, then fatal", [CONFLICT] * 6) == [20.0, 30.0, 40.0, 50.0, 60.0, math.inf]


def test_the_second_success_gives_five_tries_again() -> None:
    """The first after a conflict does not count."""
    found = pauses("five tries, then fatal", [CONFLICT, OK, CONFLICT, OK, OK, CONFLICT])

    assert found == [20.0, 0.0, 30.0, 0.0, 0.0, 20.0]


def test_who_sleeps_sleeps_as_long_each_time() -> None:
    """35 s."""
    assert pauses("sleep 35 s", [CONFLICT] * 3) == [35.0] * 3


def test_a_restart_comes_later_each_time_up_to_a_minute() -> None:
    """Docker's pauses, and a second until the new process polls."""
    found = pauses("exit and restart", [CONFLICT] * 12)

    assert found == [1 + min(0.1 * 2**number, 60.0) for number in range(12)]


def test_a_process_that_lived_for_ten_seconds_is_started_soon() -> None:
    """The pauses begin anew."""
    found = pauses("exit and restart", [CONFLICT] * 3, every=30.0)

    assert found == [1.1, 1.1, 1.1]


def test_who_drops_deletes_the_webhook_before_it_polls_again() -> None:
    """Once for each 409, and polls at once after that."""
    contender = Contender(HABITS["delete webhook and drop"], Random(1))
    contender.answered(status=CONFLICT, now=0.0)

    assert contender.next_call() == ("deleteWebhook", {"drop_pending_updates": "true"})
    assert contender.answered(status=OK, now=1.0) == 0.0
    assert contender.next_call()[0] == "getUpdates"


def test_the_pages_show_the_figures() -> None:
    """docs/comparison.md and README.md hold the tables of comparison.json."""
    stale = [path.name for path, page in pages(FOUND).items() if page != path.read_text(encoding="utf-8")]

    assert not stale, AGAIN


def test_the_file_is_read_as_it_was_written() -> None:
    """Every setting has every contender."""
    assert from_text(as_text(FOUND))[1] == FOUND
    assert {setting: tuple(of) for setting, of in FOUND.items()} == dict.fromkeys(SETTINGS, CONTENDERS)


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["busy", "quiet"])
@pytest.mark.parametrize("name", HABITS)
def test_a_plain_fight_ends_as_the_file_says(name: str, setting: str) -> None:
    """Of the first seed; there is no asyncio in it, so it is the same everywhere."""
    assert fought((setting, name, 0)) == FOUND[setting][name][0], AGAIN


@pytest.mark.slow
@pytest.mark.skipif(python() != WROTE, reason=f"the figures of guarded bots are those of Python {WROTE}")
@pytest.mark.parametrize(
    ("setting", "name"), [("busy", "onepoller hold"), *(("quiet", name) for name in POLICIES)]
)
def test_a_guarded_fight_ends_as_the_file_says(setting: str, name: str) -> None:
    """Of the first seed."""
    assert fought((setting, name, 0)) == FOUND[setting][name][0], AGAIN


@pytest.mark.parametrize("setting", ["busy", "quiet", "ptb"])
def test_who_holds_keeps_nearly_all(setting: str) -> None:
    """In the worst hour 95 of 100, whichever the rival; of the others none has 75 in its median hour."""
    worst = {name: min(values(FOUND[setting][name], "share")) for name in KEPT}
    others = {name: share for name, share in middles(setting, "share").items() if name not in KEPT}

    assert min(worst.values()) >= 95.0
    assert max(others.values()) < 75.0


def test_the_rival_decides_nothing_about_the_order() -> None:
    """With python-telegram-bot as the rival: holders, then frameworks, then `exit`, then those who sleep."""
    order = [
        KEPT,
        (
            "python-telegram-bot",
            "aiogram",
            "pyTelegramBotAPI",
            "back off, 1 to 64 s",
            "delete webhook and drop",
        ),
        ("onepoller exit",),
        ("sleep 35 s", "five tries, then fatal", "exit and restart"),
        ("onepoller yield",),
    ]
    for setting in ("busy", "ptb"):
        shares = middles(setting, "share")
        for better, worse in pairwise(order):
            assert min(shares[name] for name in better) > max(shares[name] for name in worse)


def test_only_who_drops_destroys_messages() -> None:
    """And it does so in every busy hour."""
    destroyed = {
        name: sum(sum(values(FOUND[setting][name], "destroyed")) for setting in SETTINGS)
        for name in CONTENDERS
    }

    assert {name for name, count in destroyed.items() if count} == {"delete webhook and drop"}
    assert min(values(FOUND["busy"]["delete webhook and drop"], "destroyed")) >= 1


def test_who_gives_up_stays_away_and_who_yields_comes_back() -> None:
    """On a quiet bot five tries are over in every hour; `yield` has its first message within 15 s."""
    quiet = FOUND["quiet"]

    assert set(values(quiet["five tries, then fatal"], "back")) == {math.inf}
    assert max(values(quiet["onepoller yield"], "back")) <= 15.0


def test_who_holds_does_so_as_a_newcomer_too() -> None:
    """The README's 98 %, with the rival there first."""
    assert round(middles("second", "share")["onepoller hold"]) == 98


def test_the_newcomer_leaves_the_bot_to_who_was_there() -> None:
    """`auto`, with the rival there first: no fight, and at most a message or two."""
    second = FOUND["second"]["onepoller auto"]

    assert max(values(second, "share")) <= 0.1
    assert max(values(second, "conflicts")) <= 20
