"""Conflict episodes: from the first sign until it has been quiet for longer than the rival's own rhythm.

Pure; `decide` asks it. Episodes are counted, not 409s, and one won poll ends none: frameworks come back after
30 and 60 s.
"""

from __future__ import annotations

from onepoller.coordination.conflict import RIVAL_KINDS, Kind
from onepoller.coordination.record import replace
from onepoller.coordination.report import Role
from onepoller.coordination.situation import (
    Decision,
    OpenEpisode,
    State,
    TellEpisodeClosed,
    TellEpisodeOpened,
)

QUIET_AT_LEAST = 10.0
QUIET_AT_MOST = 90.0
"""How long an episode must be quiet to end; PTB and telebot come back after 30 and 60 s at most."""
LONGER = 1.5
"""So many times the rival's longest gap an episode must be quiet."""
LONGER_THAN_A_BACK_OFF = 3.0
"""The same for who holds for good: pauses double at most, and a 409 may be held for 3 s. Who insists for a
time cannot wait so long: the probes of several hosts would become one fight, and use that time up."""


def signed(state: State, kind: Kind, now: float, *, conflicts: int = 1) -> Decision:
    """A sign of this kind, with so many 409s: an episode begins, or goes on; another kind's ends."""
    open_episode = state.episode
    if open_episode is not None and (open_episode.kind is kind or {open_episode.kind, kind} <= RIVAL_KINDS):
        gap = max(open_episode.longest_gap, now - open_episode.last)
        conflicts += open_episode.conflicts
        counted = replace(open_episode, conflicts=conflicts, last=now, longest_gap=gap)
        return Decision(state=replace(state, episode=counted))
    before = closed(state, "replaced")
    episode = OpenEpisode(kind=kind, since=now, conflicts=conflicts, last=now)
    told = TellEpisodeOpened(kind=kind)
    return Decision(state=replace(before.state, episode=episode), actions=(*before.actions, told))


def closed(state: State, resolution: str) -> Decision:
    """The episode is over, if there is one."""
    if state.episode is None:
        return Decision(state=state)
    told = TellEpisodeClosed(episode=state.episode, resolution=resolution)
    return Decision(state=replace(state, episode=None, insist_until=None), actions=(told,))


def once_quiet(state: State, now: float, *, longer: float = LONGER) -> Decision:
    """End a rival's episode when it has been quiet for long enough (hysteresis); not while we stand by."""
    episode = state.episode
    if state.role is not Role.CONTENDED or state.yielding or episode is None:
        return Decision(state=state)
    needed = min(max(QUIET_AT_LEAST, longer * episode.longest_gap), QUIET_AT_MOST)
    if now - episode.last < needed:
        return Decision(state=state)
    return closed(replace(state, role=Role.POLLING), "rival_gone")
