"""The whole fake: tokens, bots, connections, and what the journal keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from onepoller.testing.botapi import BotApi, Call, Reply, Rules, replies

from .conftest import BOT, TOKEN

if TYPE_CHECKING:
    from .conftest import Stage

OTHER_TOKEN = f"{BOT}:" + "B" * 35


def answered(api: BotApi, token: str, *, method: str = "getMe", now: float = 0.0) -> Reply:
    """Give the answer to a call that is answered at once."""
    (answer,) = api.submit(Call(connection=1, token=token, method=method), now)
    assert isinstance(answer.reply, Reply)
    return answer.reply


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("0" + TOKEN, replies.INVALID_TOKEN),
        ("abc:" + "A" * 35, replies.MISDIRECTED),
        (f"{BOT}:short", replies.UNAUTHORIZED),
        (f"{BOT}:" + "!" * 35, replies.UNAUTHORIZED),
    ],
)
def test_bad_tokens(token: str, expected: Reply) -> None:
    """Each has its answer."""
    assert answered(BotApi(), token) == expected


def test_every_well_formed_token_is_good_by_default() -> None:
    """So tests need no registration."""
    assert answered(BotApi(), TOKEN).status == 200


def test_a_fake_may_know_its_tokens() -> None:
    """Then all others are refused."""
    api = BotApi(rules=Rules(only_known_tokens=True))
    refused = answered(api, TOKEN)
    api.authorise(TOKEN)

    assert refused == replies.UNAUTHORIZED
    assert answered(api, TOKEN).status == 200


def test_a_regenerated_token_shares_the_queue_and_nothing_else(stage: Stage) -> None:
    """Conflicts are the token's, updates the bot's."""
    ids = stage.push(1, at=0)
    stage.poll(0, 0, at=1)
    poll = stage.poll(0, 0, at=1.1, token=OTHER_TOKEN)

    assert stage.outcome(poll) == (1.1, ids)

    old = stage.poll((ids[0] or 0) + 1, 30, at=2)
    stage.poll((ids[0] or 0) + 1, 30, at=3, token=OTHER_TOKEN)

    assert stage.is_waiting(old)


def test_a_revoked_bot_takes_a_new_token(stage: Stage) -> None:
    """The old one stays refused."""
    stage.call("getMe", at=0)
    stage.api.revoke(BOT, now=1)
    stage.api.authorise(OTHER_TOKEN)
    new, old = stage.call("getMe", at=2, token=OTHER_TOKEN), stage.call("getMe", at=2)

    assert (stage.row(new).status, stage.row(old).status) == (200, 401)


def test_the_test_data_centre_is_another_world() -> None:
    """Its bots have a number of their own, and a queue."""
    api = BotApi()
    api.push(BOT, now=0)
    (answer,) = api.submit(Call(connection=1, token=TOKEN, method="getUpdates", is_test=True), 1)

    assert answer.reply == replies.EMPTY
    assert api.journal.rows()[0].bot_id == BOT + (1 << 54)


def test_shutting_down_answers_parked_polls_and_refuses_the_rest(stage: Stage) -> None:
    """200 for the parked one, 429 with 5 for every later call."""
    poll = stage.poll(0, 30, at=0)
    answers = stage.api.shut_down(1)
    later = stage.call("getMe", at=2)

    assert [(answer.call.connection, answer.reply) for answer in answers] == [(poll, replies.EMPTY)]
    assert stage.answers[later].reply == replies.retry_after(5)


def test_the_journal_tells_a_poll_s_story(stage: Stage) -> None:
    """Arrival, parking, eviction, end, and what it asked."""
    first = stage.poll(7, 600, at=1, poller="ours", limit=3)
    stage.poll(7, 30, at=2)
    row = stage.row(first)

    assert (row.poller, row.bot_id, row.method) == ("ours", BOT, "getupdates")
    assert (row.offset, row.limit, row.timeout) == (7, 3, 50)
    assert (row.arrived_at, row.parked_at, row.evicted_at, row.ended_at) == (1, 1, 2, 2)
    assert (row.how, row.tag, row.status) == ("conflict", "G", 409)


def test_the_journal_holds_no_token(stage: Stage) -> None:
    """Nor does any repr."""
    stage.poll(0, 30, at=0)
    stage.api.submit(Call(connection=99, token="1:" + "S" * 40, method="getMe"), 0)
    shown = repr([stage.api, stage.api.journal.rows(), stage.api.registry, stage.api._open])

    assert "A" * 24 not in shown
    assert "S" * 24 not in shown


def test_a_connection_that_is_found_closed_makes_a_ghost_and_no_overlap() -> None:
    """The carrier is asked before a conflict is written down, in case its news comes late."""
    gone: set[int] = set()
    api = BotApi(is_connected=lambda connection: connection not in gone)
    poll = {"timeout": "30"}
    api.submit(Call(connection=1, token=TOKEN, method="getUpdates", arguments=poll, poller="a"), 0)
    gone.add(1)
    answers = api.submit(Call(connection=2, token=TOKEN, method="getUpdates", arguments=poll, poller="b"), 1)
    first, second = api.journal.rows()

    assert answers == []
    assert (first.how, first.closed_at, first.is_ghost) == ("conflict", 1, True)
    assert second.beside == ()


def test_updates_for_a_connection_that_is_found_closed_are_not_delivered() -> None:
    """The poll is a ghost; the update is still there for the next one."""
    gone: set[int] = set()
    api = BotApi(is_connected=lambda connection: connection not in gone)
    api.submit(Call(connection=1, token=TOKEN, method="getUpdates", arguments={"timeout": "30"}), 0)
    gone.add(1)
    api.push(BOT, now=1)

    assert api.advance(2) == []
    assert api.journal.rows()[0].is_ghost
    assert len(api.bot(BOT).queue) == 1


def test_a_close_that_nothing_waits_for_changes_nothing(stage: Stage) -> None:
    """Idle connections come and go."""
    poll = stage.poll(0, 0, at=0)
    version = stage.api.journal.version
    stage.api.closed(poll, 1)
    stage.api.closed(12345, 1)

    assert stage.api.journal.version == version


def test_the_same_seed_gives_the_same_run() -> None:
    """First ids and rivals come from the seed alone."""

    def run() -> str:
        api = BotApi(seed=5)
        api.push(BOT, 3, now=0)
        api.guests.start_rival(BOT, "aiogram", now=0)
        api.guests.start_rival(BOT, "aiogram", now=0.3)
        api.advance(100)
        return repr(api.journal.rows())

    assert run() == run()
