"""What was read before stands until the server says otherwise."""

from __future__ import annotations

from onepoller.coordination.identity import BotId
from onepoller.coordination.stores.redis.mirror import Mirror
from onepoller.coordination.stores.seam import Claim

ONE, TWO = BotId(1), BotId(2)
CLAIMS = {bot_id: Claim(bot_id=bot_id, version=1) for bot_id in (ONE, TWO)}


def read(stamp: tuple[bytes, int] = (b"begun", 5)) -> Mirror:
    """A mirror that has read both claims at this stamp."""
    mirror = Mirror()
    mirror.move(stamp, [])
    mirror.keep(stamp, CLAIMS, {})
    return mirror


def test_only_what_has_changed_is_missing() -> None:
    """The rest is not read again."""
    mirror = read()
    assert mirror.missing([ONE, TWO]) == []
    mirror.move((b"begun", 6), [TWO])
    assert mirror.missing([ONE, TWO]) == [TWO]


def test_other_data_have_nothing_in_common() -> None:
    """After a loss everything is read anew, also where the counter is lower."""
    mirror = read()
    mirror.move((b"begun again", 1), [])
    assert mirror.missing([ONE, TWO]) == [ONE, TWO]
    assert mirror.stamp == (b"begun again", 1)


def test_what_was_read_beside_a_later_read_is_not_kept() -> None:
    """It may be older than what that one was told of."""
    mirror = Mirror()
    mirror.move((b"begun", 5), [])
    mirror.move((b"begun", 6), [ONE])
    mirror.keep((b"begun", 5), CLAIMS, {})
    assert mirror.missing([ONE]) == [ONE]


def test_a_slower_read_does_not_turn_the_stamp_back() -> None:
    """What changed in between would be asked for again, which costs time only; the later stamp stands."""
    mirror = read()
    mirror.move((b"begun", 4), [ONE])
    assert mirror.stamp == (b"begun", 5)
    assert mirror.missing([ONE, TWO]) == [ONE]
