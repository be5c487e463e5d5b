"""Scenario 6, workers and reloaders: one polls, all serve and send, and a dead one is followed.

The programs are those of `examples/`, run as they are; a poller's name in the server's log is its pid.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from onepoller.testing.botapi import Row, conflicts, overlaps, polls
from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import ROOT, Bots
from tests.e2e.bots.servers import Server

pytestmark = pytest.mark.slow

UVICORN = "-m uvicorn workers_uvicorn:app --port 0"
AIOGRAM = "-m uvicorn workers_aiogram:app --port 0"
GUNICORN = "-m gunicorn --bind 127.0.0.1:0 --no-control-socket"
THREADS = "--config workers_gunicorn_conf.py workers_gunicorn:app"
TWO_OF_UVICORN = [
    pytest.param(f"{UVICORN} --workers 2", id="uvicorn"),
    pytest.param(f"{AIOGRAM} --workers 2", id="uvicorn, of aiogram"),
]
EXCERPT = re.compile(r"<!-- from (\S+) -->\n```python\n(.*?)```", re.DOTALL)


@pytest.fixture
def server(telegram: Telegram, bots: Bots, tmp_path: Path) -> Iterator[Server]:
    """Give a program to start. Its lease is an hour: who has died is not found out by silence."""
    made = Server(telegram, tmp_path, bots.environment({"log_format": "text", "lease": 3600}))
    yield made
    made.close()


def wait_polls(telegram: Telegram, *, after: int = 0, unlike: Iterable[str] = ()) -> str:
    """Wait for a poll that parks, of anybody but these; gives its pid."""
    row = telegram.wait_for(
        lambda row: row.is_poll and row.parked_at is not None and row.poller not in unlike, after=after
    )
    return row.poller


def check_one_polled(telegram: Telegram, server: Server, *, sent: int) -> None:
    """At no time two of them polled, nobody was told of a conflict, each message was answered once."""
    rows = telegram.rows()
    assert overlaps(rows) == []
    assert conflicts(rows) == []
    answers = [row.text for row in rows if row.method == "sendmessage" and not row.text.startswith("worker")]
    assert len(answers) == len(set(answers)) == sent
    assert "Traceback" not in server.log
    assert telegram.token not in server.log


def wait_answered(telegram: Telegram, *, by: str) -> None:
    """Push a message; wait until this one has answered it, and has told Telegram so: else it comes again."""
    before = telegram.last()
    (made,) = telegram.push()
    telegram.wait_for(lambda row: row.text == str(made.number) and row.poller == by, after=before)
    telegram.wait_for(lambda row: made.update_id in row.confirmed)


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(f"{UVICORN} --workers 4", id="uvicorn, four workers"),
        pytest.param(f"{GUNICORN} --workers 4 {THREADS}", id="gunicorn, four forked workers"),
        pytest.param(f"{GUNICORN} --workers 4 --worker-class asgi workers_uvicorn:app", id="gunicorn's asgi"),
        pytest.param(f"{AIOGRAM} --workers 2", id="uvicorn, two of aiogram"),
    ],
)
def test_one_worker_polls_and_kill_9_moves_it(command: str, server: Server, telegram: Telegram) -> None:
    """All answer HTTP and send; the killed one is followed by another, which answers the next message."""
    count = int(re.search(r"--workers (\d)", command)[1])  # type: ignore[index]  # each has it
    server.start(command)
    poller = wait_polls(telegram)
    workers = server.have_sent(count)
    assert poller in workers
    assert {row.poller for row in polls(telegram.rows())} == {poller}
    wait_answered(telegram, by=poller)

    before = telegram.last()
    os.kill(int(poller), signal.SIGKILL)
    successor = wait_polls(telegram, after=before, unlike=[poller])
    wait_answered(telegram, by=successor)
    server.stop()
    check_one_polled(telegram, server, sent=2)


@pytest.mark.parametrize(
    "command",
    [*TWO_OF_UVICORN, pytest.param(f"{GUNICORN} --workers 2 {THREADS}", id="gunicorn")],
)
def test_workers_serve_while_telegram_is_away_and_poll_when_it_is_back(
    command: str, server: Server, telegram: Telegram
) -> None:
    """A start without Telegram ends no worker: HTTP is answered, and later one of them polls."""
    telegram.control.fault(telegram.bot_id, kind="close", method="getMe", times=1000)
    server.start(command)
    one = telegram.wait_for(lambda row: row.method == "getme").poller
    two = telegram.wait_for(lambda row: row.method == "getme" and row.poller != one).poller
    assert str(server.ask()["pid"]) in {one, two}
    tried = telegram.last()
    telegram.wait_for(lambda row: row.poller == one, after=tried)
    telegram.wait_for(lambda row: row.poller == two, after=tried)
    telegram.control.clear_faults(telegram.bot_id)
    wait_answered(telegram, by=wait_polls(telegram))
    assert server.have_sent(2) == {one, two}
    server.stop()
    check_one_polled(telegram, server, sent=1)


@pytest.mark.parametrize("command", TWO_OF_UVICORN)
def test_workers_end_cleanly_while_telegram_is_away(command: str, server: Server, telegram: Telegram) -> None:
    """A stop before the bot has started ends the tries, too."""
    telegram.control.fault(telegram.bot_id, kind="close", method="getMe", times=1000)
    server.start(command)
    telegram.wait_for(lambda row: row.method == "getme")
    server.ask()
    server.stop()
    assert "Traceback" not in server.log
    assert len(re.findall("Application shutdown complete", server.log)) == 2


def test_workers_forked_from_a_built_bot_are_one_poller(server: Server, telegram: Telegram) -> None:
    """With --preload the master has imported and built everything; a killed worker is followed all the same.

    All have the master's name in the log, so each says itself whether it polls.
    """
    server.start(f"{GUNICORN} --workers 3 --preload {THREADS}")
    wait_polls(telegram)
    server.have_sent(3)
    poller = server.wait_polling()
    os.kill(poller, signal.SIGKILL)
    assert server.wait_polling(unlike=poller) != poller
    rows = polls(telegram.rows())
    assert [row for row in rows if row.beside] == []
    assert conflicts(rows) == []


@pytest.mark.parametrize(
    ("command", "file"),
    [
        pytest.param(f"{UVICORN} --reload", "workers_uvicorn.py", id="uvicorn"),
        pytest.param(f"{GUNICORN} --workers 2 --reload {THREADS}", "workers_gunicorn.py", id="gunicorn"),
        pytest.param(
            "-m flask --app workers_flask run --debug --port 0", "workers_flask.py", id="flask's debug server"
        ),
    ],
)
def test_a_reload_moves_polling(command: str, file: str, server: Server, telegram: Telegram) -> None:
    """The file is touched in a stream of messages: a new process polls, and each is answered once."""
    count = 2 if "--workers 2" in command else 1
    server.start(command)
    poller = wait_polls(telegram)
    old = server.have_sent(count) | {str(server.pid)}
    wait_answered(telegram, by=poller)

    before = telegram.last()
    telegram.push(200, every=0.1)
    server.touch(file)
    successor = wait_polls(telegram, after=before, unlike=old)
    telegram.control.stop_push(telegram.bot_id)
    wait_answered(telegram, by=successor)
    server.have_sent(count, unlike=old)
    server.stop()
    check_one_polled(telegram, server, sent=len(telegram.pushed()))


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(f"{UVICORN} --workers 2", id="uvicorn"),
        pytest.param(f"{GUNICORN} --workers 2 {THREADS}", id="gunicorn"),
    ],
)
def test_a_hang_up_replaces_all_workers(command: str, server: Server, telegram: Telegram) -> None:
    """SIGHUP to the supervisor: one of the new workers polls when all old ones are gone."""
    server.start(command)
    wait_polls(telegram)
    old = server.have_sent(2)
    before = telegram.last()
    os.kill(server.pid, signal.SIGHUP)
    wait_answered(telegram, by=wait_polls(telegram, after=before, unlike=old))
    server.stop()
    check_one_polled(telegram, server, sent=1)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_of_one_program_are_one_poller(method: str, server: Server, telegram: Telegram) -> None:
    """Each of three says that it is up, one polls; it is killed: another polls, and a third one comes."""
    server.start(f"workers_multiprocessing.py {method}")
    poller = wait_polls(telegram)
    greeted = telegram.control.wait_for(lambda row: is_greeting(row, telegram), count=3)
    assert {row.poller for row in polls(telegram.rows())} == {poller}
    wait_answered(telegram, by=poller)
    server.wait_logged(r"(?s)((standing by.*){2})")

    os.kill(int(poller), signal.SIGKILL)
    successor = wait_polls(telegram, after=greeted.seq, unlike=[poller])
    wait_answered(telegram, by=successor)
    telegram.control.wait_for(lambda row: is_greeting(row, telegram), count=4)
    server.wait_logged(r"(?s)((standing by.*){3})")
    server.stop()
    check_one_polled(telegram, server, sent=2)


@pytest.mark.parametrize(("path", "block"), EXCERPT.findall((ROOT / "docs" / "workers.md").read_text()))
def test_the_page_shows_what_is_run(path: str, block: str) -> None:
    """Each line of an excerpt stands in its example, in this order."""
    rest = iter([line.strip() for line in (ROOT / path).read_text().splitlines()])
    assert [line for line in block.splitlines() if line.strip() and line.strip() not in rest] == []


def is_greeting(row: Row, telegram: Telegram) -> bool:
    """A worker of this bot tells that it is up."""
    return row.bot_id == telegram.bot_id and row.text.endswith("is up")
