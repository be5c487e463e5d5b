"""Two instances of a bot behind two proxies of one host, in eight libraries, and the death of one pair."""

from __future__ import annotations

import pytest

from onepoller.testing.botapi import conflicts
from tests.e2e.bots.at_server import Telegram
from tests.e2e.proxy.sidecars import Sidecars

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

KINDS = ["ptb", "aiogram", "telebot", "async-telebot", "requests", "grammy", "runner", "telegraf"]


def acknowledged(updates: list[int], telegram: Telegram) -> None:
    """Wait for a poll that confirms all of these, and waits for more."""
    telegram.wait_for(
        lambda row: row.is_poll and row.parked_at is not None and (row.offset or 0) > updates[-1]
    )


@pytest.mark.parametrize("kind", KINDS)
def test_one_of_two_is_killed_with_its_proxy_and_the_other_goes_on(
    kind: str, sidecars: Sidecars, telegram: Telegram
) -> None:
    """Nothing is lost, nothing is handled twice, no client hears of a conflict, and none exits."""
    proxies = [sidecars.proxy(), sidecars.proxy()]
    bots = [sidecars.bot(kind, name, proxy) for name, proxy in zip(("one", "two"), proxies, strict=True)]
    holder, other = sorted(range(2), key=lambda n: not proxies[n].is_polling())
    proxies[other].wait_logged("standing by")
    first = [made.update_id for made in telegram.push(5) if made.update_id]
    bots[holder].wait_handled(first)
    acknowledged(first, telegram)

    proxies[holder].kill()
    bots[holder].kill()
    second = [made.update_id for made in telegram.push(5) if made.update_id]
    bots[other].wait_handled(second)
    acknowledged(second, telegram)

    assert dict(sidecars.handled()) == dict.fromkeys(first + second, 1)
    assert [row for row in conflicts(telegram.rows()) if not row.is_ghost] == []
    log = bots[other].log
    assert (bots[other].process.poll(), "409" in log, "Conflict" in log) == (None, False, False)
