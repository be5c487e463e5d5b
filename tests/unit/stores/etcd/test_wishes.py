"""Wishes in parts: their places, what a change rewrites, and what others read of it."""

from __future__ import annotations

from onepoller.coordination.identity import BotId, SessionId, Term
from onepoller.coordination.stores.etcd.wishes import PARTS, OwnWishes, Wishes, part_text
from onepoller.coordination.stores.etcd.words import Kept
from onepoller.coordination.stores.seam import Wish, WishMode

BOT, OTHER = BotId(64), BotId(65)
OWN = SessionId("own")


def wish(bot_id: BotId = BOT, *, since: int = 0, priority: int = 0) -> Wish:
    """A wish of ours."""
    return Wish(bot_id=bot_id, session=OWN, since=since, priority=priority)


def kept(own: OwnWishes, made: list[Wish], revision: int) -> list[Kept]:
    """Write some; the keys as others read them."""
    parts = own.after(made, ())
    keys = [
        Kept(f"p/wishes/own/{number}", part_text(part).encode(), revision) for number, part in parts.items()
    ]
    own.written(parts, revision)
    return keys


def test_a_change_rewrites_one_part() -> None:
    """However many wishes there are."""
    own = OwnWishes()
    kept(own, [wish(BotId(number)) for number in range(1000)], 5)
    (number,) = own.after((), [BOT])
    assert number == BOT % PARTS


def test_what_changes_nothing_is_not_written() -> None:
    """A wish renewed as it stands, or one taken back that was not there."""
    own = OwnWishes()
    kept(own, [wish()], 5)
    assert own.after([wish()], [OTHER]) == {}


def test_a_place_is_the_revision_of_the_first_write() -> None:
    """Read from the key at first, from the text once the part was written again."""
    own, seen = OwnWishes(), Wishes()
    seen.read(kept(own, [wish()], 5), 5)
    assert seen.of([BOT], {OWN})[BOT] == [wish(since=5)]
    seen.read(kept(own, [wish(priority=1)], 9), 9)
    assert seen.of([BOT], {OWN})[BOT] == [wish(since=5, priority=1)]


def test_what_was_not_written_leaves_no_trace() -> None:
    """The server did not answer: the next write makes it again."""
    own = OwnWishes()
    assert own.after([wish()], ()) == own.after([wish()], ())


def test_an_older_reading_takes_nothing_back() -> None:
    """Answers may come in another order than they were sent."""
    own, seen = OwnWishes(), Wishes()
    old = kept(own, [wish()], 5)
    seen.read(kept(own, [wish(priority=1)], 9), 9)
    seen.read(old, 5)
    assert (seen.revision, seen.of(None, {OWN})[BOT][0].priority) == (9, 1)


def test_wishes_of_who_does_not_live_are_left_out() -> None:
    """Also where their keys were read before."""
    seen = Wishes()
    seen.read(kept(OwnWishes(), [wish()], 5), 5)
    assert seen.of([BOT], ()) == {BOT: []}


def test_every_field_comes_back() -> None:
    """With terms beyond 2^53."""
    made = Wish(bot_id=BOT, session=OWN, since=5, priority=-3, mode=WishMode.REPLACE, aim=Term(2**60 + 1))
    seen = Wishes()
    seen.read([Kept("p/wishes/own/0", part_text({BOT: made}).encode(), 9)], 9)
    assert seen.of(None, {OWN}) == {BOT: [made]}
