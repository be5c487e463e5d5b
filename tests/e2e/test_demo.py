"""`onepoller demo`, played once and short: real bots, the fake server, every act."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

import onepoller.demo
from onepoller.coordination.errors import SetupError
from onepoller.demo import languages, proxies, show
from onepoller.demo.bots import Bots
from onepoller.demo.cast import cast
from onepoller.demo.languages import Language
from onepoller.demo.screen import Screen
from onepoller.demo.stage import Pace
from onepoller.testing.botapi import spawn

SHORT = Pace(fight=4.0, guarded=1.0, kills=1, deploys=1, rival=4.0, pairs=1, between=0.3, slack=100.0)

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

    assert [max(re.findall(r"│ (-|yes|NO) +│\n", act)) for act in acts] == ["-", *["yes"] * 5]


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


@pytest.mark.parametrize(
    ("missing", "extras"),
    [({"telegram"}, "[ptb]"), ({"aiohttp"}, "[proxy]"), ({"telegram", "aiohttp"}, "[ptb,proxy]")],
)
def test_what_is_missing_is_named(missing: set[str], extras: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one sentence, which the command line shows with exit status 2."""
    monkeypatch.setattr(show, "find_spec", lambda module: None if module in missing else module)

    with pytest.raises(SetupError, match=re.escape(f"pip install 'onepoller{extras}'")):
        onepoller.demo.run(Console(file=io.StringIO()), pace=SHORT)


@pytest.mark.parametrize("language", [languages.LOOPS, languages.grammy(languages.places())])
def test_bots_behind_proxies_go_on_in_either_language(language: Language | None, tmp_path: Path) -> None:
    """Every promise of the last act holds; without a proxy grammY exits, a loop does not."""
    if language is None:
        pytest.skip("install node and npm, and run tests/e2e/proxy, which fetch grammY")
    screen = Screen(Console(file=io.StringIO()))
    with spawn() as control, Bots(control, tmp_path) as bots:
        findings = proxies.ACT.play(cast(bots, control, screen, replace(SHORT, pairs=2), language))

    unkept = [finding for finding in findings if finding.is_kept is False]
    assert (unkept, "exited with status 1" in findings[-1].measured) == ([], language.exits_on_conflict)


def test_a_proxy_does_not_outlive_the_demo(tmp_path: Path) -> None:
    """However the demo ends, its end of the pipe is closed; the proxy ends as by SIGTERM."""
    command = [sys.executable, "-m", "onepoller.demo.sidecar", "--listen", "127.0.0.1:0"]
    environment = os.environ | {"ONEPOLLER_STATE_DIR": str(tmp_path)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        greeting = process.stdout.readline()
        process.stdin.close()

        assert (greeting[:18], process.wait(30)) == ("onepoller proxy on", 0)
