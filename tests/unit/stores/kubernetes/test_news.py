"""What is announced, and what need not be read again."""

from __future__ import annotations

from onepoller.coordination.identity import BotId, SessionId
from onepoller.coordination.stores.kubernetes.fresh import Fresh
from onepoller.coordination.stores.kubernetes.news import MOST_NAMED, News

A, B = BotId(1), BotId(2)
ONE, TWO = SessionId("one"), SessionId("two")


def test_news_that_could_not_be_told_go_with_the_next() -> None:
    """Both are told together."""
    first, second = News(frozenset([ONE]), frozenset([A])), News(frozenset([TWO]), frozenset([B]))
    assert first.with_(second) == News(frozenset([ONE, TWO]), frozenset([A, B]))


def test_many_changes_are_not_named() -> None:
    """It could be any; and that stays so."""
    many = News(changed=frozenset(BotId(number) for number in range(MOST_NAMED + 1)))
    assert News().with_(many).changed is None
    assert News(changed=None).with_(News()).changed is None


def test_what_was_read_is_fresh_until_it_is_doubted() -> None:
    """One by one, or all."""
    fresh = Fresh()
    fresh.add([A, B], since=fresh.doubts)
    assert fresh.stale([A, B]) == []
    fresh.doubt([A])
    assert fresh.stale([A, B]) == [A]
    fresh.doubt(None)
    assert fresh.stale([A, B]) == [A, B]


def test_a_doubt_that_comes_during_a_read_stays() -> None:
    """What was read may be older than what was announced."""
    fresh = Fresh()
    before = fresh.doubts
    fresh.doubt([A])
    fresh.add([A, B], since=before)
    assert fresh.stale([A, B]) == [A, B]
