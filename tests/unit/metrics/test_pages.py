"""What each path of the metrics port answers."""

from __future__ import annotations

import json

import pytest

from onepoller.coordination import events
from onepoller.coordination.identity import BotId
from onepoller.coordination.report import Role
from onepoller.metrics import Ledger
from onepoller.metrics.exposition import exposition
from onepoller.metrics.pages import Pages

POLLS, STALLS = BotId(1), BotId(2)


@pytest.fixture
def pages(ledger: Ledger) -> Pages:
    """Give the pages of a process with one bot that is well and one that stalls."""
    for bot_id in (POLLS, STALLS):
        ledger(events.BotSeen(bot_id=bot_id))
        ledger(events.RoleChanged(bot_id=bot_id, role=Role.POLLING, was=Role.STARTING))
    ledger(events.Stalled(bot_id=STALLS, seconds=20.0))
    return Pages(ledger, status=lambda: {"bots": 2})


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/metrics", 200),
        ("/metrics?name[]=x", 200),
        ("/healthz", 200),
        ("/healthz?bot_id=1", 200),
        ("/healthz?bot_id=2", 503),
        ("/healthz?bot_id=3", 404),
        ("/healthz?bot_id=%C2%B2", 404),
        ("/healthz?bot_id=x", 404),
        ("/readyz", 200),
        ("/status", 200),
        ("/", 404),
        ("/metrics/", 404),
        ("/bot/getUpdates", 404),
    ],
)
def test_a_path_has_its_status(pages: Pages, target: str, status: int) -> None:
    """Probes look at the number alone."""
    assert pages.page(target).status == status


def test_metrics_are_the_exposition(pages: Pages, ledger: Ledger) -> None:
    """In the format that Prometheus asks for."""
    page = pages.page("/metrics")
    ledger.collected(0.0)
    first = page.body.split(b"onepoller_collect_duration_seconds ")

    assert page.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert first[0] == exposition(ledger).split(b"onepoller_collect_duration_seconds ")[0]


def test_status_is_what_the_process_gives(pages: Pages) -> None:
    """As JSON."""
    assert json.loads(pages.page("/status").body) == {"bots": 2}


def test_status_without_a_source_is_not_found(ledger: Ledger) -> None:
    """A process may give none."""
    assert Pages(ledger).page("/status").status == 404


def test_nobody_is_ready_before_a_bot_has_started(ledger: Ledger) -> None:
    """And alive all the same: a bot that takes its time must not be restarted for it."""
    pages = Pages(ledger)

    assert (pages.page("/readyz").status, pages.page("/healthz").status) == (503, 200)


def test_standby_is_ready(ledger: Ledger) -> None:
    """Else a rolling update would wait for ever for a claim that the old process holds."""
    ledger(events.RoleChanged(bot_id=POLLS, role=Role.STANDBY, was=Role.STARTING))

    assert Pages(ledger).page("/readyz").status == 200


def test_a_dead_thread_fails_every_health_check(ledger: Ledger) -> None:
    """Of the process and of each bot."""
    ledger(events.BotSeen(bot_id=POLLS))
    pages = Pages(ledger, is_alive=lambda: False)

    assert [pages.page(target).status for target in ("/healthz", "/healthz?bot_id=1")] == [503, 503]
