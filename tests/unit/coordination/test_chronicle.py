"""What is told of an episode: once to listeners, and to the claim for a successor."""

from __future__ import annotations

from typing import Any

import pytest

from onepoller.coordination import events
from onepoller.coordination.chronicle import Chronicle
from onepoller.coordination.clocks import Clocks
from onepoller.coordination.conflict import Kind
from onepoller.coordination.settings import OnRival, Settings
from onepoller.coordination.situation import OpenEpisode
from onepoller.coordination.stores.seam import Episode
from tests.unit.coordination.bench import BOT, FakeClaims

RIVAL = OpenEpisode(kind=Kind.RIVAL, since=90.0, conflicts=3, last=100.0)


class Told:
    """A chronicle, and who hears of it."""

    def __init__(self) -> None:
        self.seen: list[events.Event] = []
        self.claims = FakeClaims()
        self.monotonic = 100.0
        self.wall = 50_000.0
        self.chronicle = Chronicle(
            BOT,
            claims=self.claims,
            settings=Settings(on_rival=OnRival.AUTO),
            emit=self.seen.append,
            clocks=Clocks(monotonic=lambda: self.monotonic, wall=lambda: self.wall),
        )

    def of(self, kind: type) -> list[Any]:
        """The events of one kind."""
        return [event for event in self.seen if isinstance(event, kind)]


@pytest.mark.parametrize("stands_by", [False, True])
def test_a_rivals_episode_is_told_and_noted_with_the_claim_at_once(
    stands_by: bool,
) -> None:
    """A successor finds since when, and whether the rival has the bot."""
    told = Told()
    told.chronicle.began(Kind.RIVAL, 1, stands_by=stands_by)

    assert told.seen == [
        events.EpisodeOpened(bot_id=BOT, kind=Kind.RIVAL, policy="auto", stands_by=stands_by)
    ]
    assert told.claims.noted == [Episode(kind=Kind.RIVAL, since=50_000.0, conflicts=1, stands_by=stands_by)]


def test_a_409_of_an_unknown_text_is_told_with_its_text() -> None:
    """Of the others the kind says it all."""
    told = Told()
    told.chronicle.text = "Conflict: something new"
    told.chronicle.began(Kind.UNKNOWN, 1, stands_by=False)
    told.chronicle.began(Kind.RIVAL, 1, stands_by=False)

    assert [e.detail for e in told.of(events.EpisodeOpened)] == ["Conflict: something new", ""]


def test_a_webhooks_episode_is_told_once_its_host_is_known() -> None:
    """The host, and no more of the address: a path may hold a secret."""
    told = Told()
    told.chronicle.began(Kind.WEBHOOK_ACTIVE, 1, stands_by=False)
    assert told.seen == []
    told.chronicle.webhook_seen({"url": "https://bots.example/secret"}, 2)

    assert told.seen == [
        events.EpisodeOpened(bot_id=BOT, kind=Kind.WEBHOOK_ACTIVE, policy="", detail="bots.example")
    ]
    assert told.claims.noted == [
        Episode(kind=Kind.WEBHOOK_ACTIVE, since=50_000.0, conflicts=2, detail="bots.example")
    ]


def test_a_webhook_that_is_seen_again_is_not_told_again() -> None:
    """It is looked at every few seconds."""
    told = Told()
    told.chronicle.began(Kind.WEBHOOK_ACTIVE, 1, stands_by=False)
    for _ in range(3):
        told.chronicle.webhook_seen({"url": "https://bots.example/secret"}, 1)

    assert len(told.seen) == 1


def test_a_webhook_whose_host_cannot_be_had_is_told_without_it() -> None:
    """GetWebhookInfo has failed."""
    told = Told()
    told.chronicle.began(Kind.WEBHOOK_ACTIVE, 1, stands_by=False)
    told.chronicle.webhook_seen(None, 1)

    assert [e.detail for e in told.of(events.EpisodeOpened)] == [""]


def test_a_webhook_that_is_gone_before_it_was_asked_for_is_told_in_order() -> None:
    """It opened before it closed."""
    told = Told()
    told.chronicle.began(Kind.WEBHOOK_SET, 1, stands_by=False)
    told.chronicle.ended(OpenEpisode(kind=Kind.WEBHOOK_SET, since=90.0), "webhook_gone")

    assert [type(e) for e in told.seen] == [events.EpisodeOpened, events.EpisodeClosed]


def test_standing_by_in_the_middle_of_an_episode_is_told_and_noted() -> None:
    """With the 409s that it took."""
    told = Told()
    told.chronicle.began(Kind.RIVAL, 1, stands_by=False)
    told.chronicle.stood_by(RIVAL, events.Why.NEW)

    assert told.of(events.StoodBy) == [events.StoodBy(bot_id=BOT, kind=Kind.RIVAL, conflicts=3)]
    assert told.claims.noted[-1] == Episode(kind=Kind.RIVAL, since=50_000.0, conflicts=3, stands_by=True)


def test_an_episode_that_began_with_standing_by_says_so_in_one_line() -> None:
    """The opening has told it."""
    told = Told()
    told.chronicle.began(Kind.RIVAL, 1, stands_by=True)
    told.chronicle.stood_by(RIVAL, events.Why.NEW)

    assert told.of(events.StoodBy) == []


def test_after_a_come_back_standing_by_is_told_again() -> None:
    """It is the same episode, and news."""
    told = Told()
    told.chronicle.began(Kind.RIVAL, 1, stands_by=True)
    told.chronicle.came_back(RIVAL)
    assert told.claims.noted[-1] == Episode(kind=Kind.RIVAL, since=50_000.0, conflicts=3)
    told.chronicle.stood_by(RIVAL, events.Why.NEW)

    assert len(told.of(events.StoodBy)) == 1


def test_the_end_says_how_long_it_was_and_what_was_missed() -> None:
    """An estimate, from gaps in update_id during this episode."""
    told = Told()
    told.chronicle.missed(50)
    told.chronicle.began(Kind.RIVAL, 1, stands_by=False)
    told.chronicle.missed(2)
    told.chronicle.missed(3)
    told.chronicle.ended(RIVAL, "rival_gone")

    assert told.of(events.EpisodeClosed) == [
        events.EpisodeClosed(
            bot_id=BOT, kind=Kind.RIVAL, resolution="rival_gone", seconds=10.0, conflicts=3, missed=5
        )
    ]


@pytest.mark.parametrize(("resolution", "is_taken_off"), [("rival_gone", True), ("released", False)])
def test_an_episode_that_is_over_is_taken_off_the_claim(
    resolution: str,
    is_taken_off: bool,
) -> None:
    """One that goes with the claim stays on it."""
    told = Told()
    told.chronicle.began(Kind.RIVAL, 1, stands_by=False)
    told.chronicle.ended(RIVAL, resolution)

    assert (told.claims.noted[-1] is None) is is_taken_off


def test_a_successor_notes_the_episode_as_it_began() -> None:
    """Since when, and the text or host, are its predecessor's: `status` shows them."""
    told = Told()
    told.chronicle.inherited(Episode(kind=Kind.UNKNOWN, since=9.0, detail="text", stands_by=True))
    told.chronicle.came_back(OpenEpisode(kind=Kind.UNKNOWN, since=100.0, conflicts=3))

    assert told.claims.noted == [Episode(kind=Kind.UNKNOWN, since=9.0, conflicts=3, detail="text")]
