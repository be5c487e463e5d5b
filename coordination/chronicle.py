"""What one bot's guard tells of its conflict episodes: to listeners, and to the claim for a successor.

The episode itself is part of the state; here is what people want to know beside it: since when on the wall
clock, the webhook's host, the text of a strange 409, and an estimate of what a rival took.
"""

from __future__ import annotations

from collections.abc import Callable

from onepoller.coordination import conflict, events
from onepoller.coordination.clocks import Clocks
from onepoller.coordination.grant import Claims
from onepoller.coordination.identity import BotId
from onepoller.coordination.settings import Settings
from onepoller.coordination.situation import (
    Action,
    OpenEpisode,
    TellCameBack,
    TellEpisodeClosed,
    TellEpisodeOpened,
    TellStoodBy,
)
from onepoller.coordination.stores.seam import Episode
from onepoller.coordination.webhook import host_of


class Chronicle:
    """The episodes of one bot in one process."""

    __slots__ = (
        "_bot_id",
        "_claims",
        "_clocks",
        "_detail",
        "_emit",
        "_missed",
        "_next_probe",
        "_settings",
        "_since",
        "_stands_by",
        "_untold",
        "text",
    )

    def __init__(
        self,
        bot_id: BotId,
        *,
        claims: Claims,
        settings: Settings,
        emit: Callable[[events.Event], None],
        clocks: Clocks,
    ) -> None:
        self.text = ""
        """Of the last 409."""
        self._bot_id = bot_id
        self._claims = claims
        self._settings = settings
        self._emit = emit
        self._clocks = clocks
        self._untold: conflict.Kind | None = None
        """A webhook's episode, to be told as soon as its host is known."""
        self._detail = ""
        self._since = 0.0
        self._missed = 0
        self._stands_by = False
        self._next_probe = 0.0

    def missed(self, count: int) -> None:
        """So many updates never came here."""
        self._missed += count

    def tell(self, told: Action, conflicts: int, *, stands_by: bool) -> None:
        """What `decide` has to tell of an episode; other actions are not for us."""
        match told:
            case TellEpisodeOpened(kind=kind):
                self.began(kind, conflicts, stands_by=stands_by)
            case TellEpisodeClosed(episode=episode, resolution=resolution):
                self.ended(episode, resolution)
            case TellStoodBy(episode=episode, why=why):
                self.stood_by(episode, why)
            case TellCameBack(episode=episode):
                self.came_back(episode)

    def began(self, kind: conflict.Kind, conflicts: int, *, stands_by: bool) -> None:
        """An episode began."""
        self._stands_by = stands_by
        self._next_probe = 0.0
        self._since = self._clocks.wall()
        self._missed = 0
        if kind in conflict.WEBHOOK_KINDS:
            self._untold = kind
        else:
            self._open(kind, conflicts, self.text if kind is conflict.Kind.UNKNOWN else "")

    def inherited(self, episode: Episode) -> None:
        """The claim came with an open episode, which was told by whoever had it."""
        self._since, self._detail, self._stands_by = episode.since, episode.detail, episode.stands_by
        self._next_probe = episode.next_probe
        self._missed = 0

    def webhook_seen(self, info: dict[str, object] | None, conflicts: int) -> None:
        """Tell the episode, now that getWebhookInfo has answered with the host, or failed (None)."""
        if self._untold is not None:
            self._open(self._untold, conflicts, host_of(str(info.get("url", ""))) if info else "")

    @property
    def probe_after(self) -> float | None:
        """Seconds until the probe that a predecessor was to make; None where there was none to be made."""
        return max(0.0, self._next_probe - self._clocks.wall()) if self._next_probe else None

    def probe_due(self, episode: OpenEpisode, *, after: float) -> None:
        """The next probe is due after so many seconds: for a successor, else it would begin to wait anew."""
        self._next_probe = self._clocks.wall() + after
        self._note(episode.kind, episode.conflicts)

    def stood_by(self, episode: OpenEpisode, why: events.Why) -> None:
        """The bot is the rival's, for now."""
        if not self._stands_by:
            self._stands_by = True
            self._next_probe = 0.0
            stood_by = events.StoodBy(
                bot_id=self._bot_id, kind=episode.kind, conflicts=episode.conflicts, why=why
            )
            self._emit(stood_by)
            self._note(episode.kind, episode.conflicts)

    def came_back(self, episode: OpenEpisode) -> None:
        """We poll again, and see whether it is over."""
        self._stands_by = False
        self._note(episode.kind, episode.conflicts)

    def ended(self, episode: OpenEpisode, resolution: str) -> None:
        """It is over."""
        if self._untold is not None:
            self._open(self._untold, episode.conflicts, "")
        self._emit(
            events.EpisodeClosed(
                bot_id=self._bot_id,
                kind=episode.kind,
                resolution=resolution,
                seconds=self._clocks.monotonic() - episode.since,
                conflicts=episode.conflicts,
                missed=self._missed,
            )
        )
        if resolution != "released":
            self._claims.note_episode(self._bot_id, None)

    def _open(self, kind: conflict.Kind, conflicts: int, detail: str) -> None:
        self._untold, self._detail = None, detail
        policy = str(self._settings.on_rival) if kind in conflict.RIVAL_KINDS else ""
        self._emit(
            events.EpisodeOpened(
                bot_id=self._bot_id, kind=kind, policy=policy, detail=detail, stands_by=self._stands_by
            )
        )
        self._note(kind, conflicts)

    def _note(self, kind: conflict.Kind, conflicts: int) -> None:
        episode = Episode(
            kind=kind,
            since=self._since,
            conflicts=conflicts,
            detail=self._detail,
            stands_by=self._stands_by,
            next_probe=self._next_probe if self._stands_by else 0.0,
        )
        self._claims.note_episode(self._bot_id, episode)
