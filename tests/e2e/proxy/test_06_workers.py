"""Scenario 6 with the proxy: workers whose bots know nothing of onepoller, all behind one sidecar."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from onepoller.testing.botapi import conflicts, overlaps
from tests.e2e.bots.at_server import PATIENCE, Telegram
from tests.e2e.bots.processes import PROGRAMS
from tests.e2e.bots.servers import Server
from tests.e2e.proxy.sidecars import Sidecars

pytestmark = pytest.mark.slow

UVICORN = f"-m uvicorn plain_worker:app --app-dir {PROGRAMS / 'programs'} --port 0 --workers 2"


@pytest.fixture
def server(telegram: Telegram, sidecars: Sidecars, tmp_path: Path) -> Iterator[Server]:
    """Give a server to start, whose workers poll through a proxy."""
    made = Server(telegram, tmp_path, dict(os.environ) | {"PROXY": sidecars.proxy().url})
    yield made
    made.close()


def answerer(telegram: Telegram) -> str:
    """Push a message; give the pid of the worker that answers it, once Telegram knows that it is handled."""
    before = telegram.last()
    (made,) = telegram.push()
    row = telegram.wait_for(lambda row: row.text.endswith(f" answers {made.number}"), after=before)
    telegram.wait_for(lambda row: made.update_id in row.confirmed)
    return row.text.split()[0]


def test_one_of_the_workers_polls_and_each_end_of_it_moves_that(server: Server, telegram: Telegram) -> None:
    """All serve and send; killed, or replaced by a hang-up, the one that polls is followed by another."""
    server.start(UVICORN)
    telegram.wait_for(lambda row: row.is_poll and row.parked_at is not None)
    workers = server.have_sent(2)
    first = answerer(telegram)
    assert first in workers
    os.kill(int(first), signal.SIGKILL)
    second = answerer(telegram)
    assert second in workers - {first}

    old = workers | server.have_sent(2, unlike={first})  # another one has come for the dead
    os.kill(server.pid, signal.SIGHUP)
    new = server.have_sent(2, unlike=old)
    end = time.monotonic() + PATIENCE
    while answerer(telegram) not in new:  # an old one is ended when the new ones have started
        assert time.monotonic() < end, server.log[-2000:]
    server.stop()

    rows = telegram.rows()
    # Who is ended between its answer and the next poll has not confirmed the message: it is answered again.
    answered = {int(row.text.split()[2]) for row in rows if " answers " in row.text}
    assert answered == {made.number for made in telegram.control.pushed(telegram.bot_id)}
    assert (overlaps(rows), [row for row in conflicts(rows) if not row.is_ghost]) == ([], [])
    assert ("Traceback" in server.log, "Conflict" in server.log) == (False, False)
