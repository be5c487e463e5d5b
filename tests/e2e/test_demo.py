"""`onepoller demo`, played once and short: real bots, the fake server, every act."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

import onepoller.demo
from onepoller.coordination.errors import SetupError
from onepoller.demo import show
from onepoller.demo.stage import Pace

SHORT = Pace(fight=4.0, guarded=1.0, kills=1, deploys=1, rival=4.0, between=0.3, slack=100.0)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def played() -> tuple[int, str]:
    """Give the exit status and the text of one run, as in CI: no terminal."""
    written = io.StringIO()
    status = onepoller.demo.run(Console(file=written, width=100, highlight=False), pace=SHORT)
    return status, written.getvalue()


def test_every_promise_holds(played: tuple[int, str]) -> None:
    """The exit status is that of a program that kept its word."""
    status, text = played

    assert status == 0, text


def test_the_table_has_every_act(played: tuple[int, str]) -> None:
    """No act is left out, and each that promises something is judged."""
    table = played[1].partition("What was promised")[2]
    acts = re.split(r"│ \d\. ", table)[1:]

    assert [max(re.findall(r"│ (-|yes|NO) +│\n", act)) for act in acts] == ["-", "yes", "yes", "yes", "yes"]


def test_the_plain_bots_fight(played: tuple[int, str]) -> None:
    """Act 1 shows what there is without onepoller: 409 answers, with tracebacks in the logs."""
    found = re.search(r"409 answers +│ - +│ (\d+)", played[1])

    assert found is not None
    assert int(found[1]) > 0


def test_no_token_is_shown(played: tuple[int, str]) -> None:
    """Not even the one that the demo made up."""
    assert re.search(r"\d:[A-Za-z0-9_-]{30}", played[1]) is None


def test_without_a_terminal_there_are_no_control_codes(played: tuple[int, str]) -> None:
    """A log of CI is read as text."""
    assert "\x1b" not in played[1]


def test_without_python_telegram_bot_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence, which the command line shows with exit status 2."""
    monkeypatch.setattr(show, "find_spec", lambda _: None)

    with pytest.raises(SetupError, match=re.escape("pip install 'onepoller[ptb]'")):
        onepoller.demo.run(Console(file=io.StringIO()), pace=SHORT)
