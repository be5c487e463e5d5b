"""`on_rival="auto"`: the incumbent holds, the newcomer yields. Pure; `decide` asks it.

Telegram is the referee: of two pollers the one that is parked is answered 409 when the other parks, so a 409
says that somebody else is there, never who was first. Each of the two judges itself.

*Look before polling.* Who has nobody in its store to follow peeks first (`rivals`): what waits is taken
away, somebody polls. Looked for 5 s at a start, for 2.5 s after a failed call, after a minute without an
answer, and once, 2 to 15 s after a start, by who has not parked since: busy pollers never meet a 409.

*Trial.* Until a call of ours has been open for 8 s (the server may hold a 409 for 3 s) the first 409 means:
stand by. After that we are *established*. *Insist.* An established poller answers a 409 as `hold` does, for
as long as it has been established, times a jitter, and 3 s more; then it stands by. So of two the one with
the longer tenure stays. (A server that refuses the newcomer says by itself who that is: half a minute of
refusals is enough.) Tenure belongs to the claim: a successor goes on with it. Who comes to a look more
than 15 s after its last answer is a newcomer again.

*Coming back.* Where a rival shows within a minute and a half after a look had found it gone, it was handling
meanwhile: the next such look is twice as long, to at most a quarter of an hour. A trial that was passed does
not forgive that, for handlers may last longer than look and trial together.
"""

from __future__ import annotations

import math

from onepoller.coordination.record import replace
from onepoller.coordination.situation import ClaimTaken, State
from onepoller.coordination.stores.seam import Claim, Standing

NOT_YET = -1.0
"""The tenure that is passed on by who is on trial."""
LOOK_AT_START = 5.0
LOOK_AGAIN = 2.5
BUSY_LOOK = (2.0, 15.0)
"""When who has not parked since its start looks, seconds after it."""
PARKED = 0.5
"""A poll that was open for so long was parked, seconds."""
TRIAL = 8.0
INSIST_MORE = 3.0
INSIST_JITTER = (0.7, 1.3)
REFUSED_AT_MOST = 30
"""So often in a row only a server that refuses the newcomer answers at once: it takes us for one."""
NEWCOMER_AFTER = 15.0
OVERSLEPT = 60.0
WATCH_FOR = 8.0
WATCH_AT_MOST = 900.0
GONE_AFTER = 90.0
"""Who shows so long after it had seemed to be gone was gone, seconds."""


def standing_to_take(claim: Claim, *, waited: bool, silence: float, now: float) -> Standing | None:
    """What a successor takes over from the last holder; None: it is new.

    Who stood in line saw the holder alive. Who did not may follow one that has just let go or died, as a
    process does that is started again. `silence`: of a holder that died, seconds, infinite where it is not
    known; `now`: wall clock. After one on its first trial the trial begins again, without a look before it:
    there was a poller. Who was silent for too long, or had become a newcomer again, passes nothing on.
    """
    if claim.episode is not None and claim.episode.stands_by:
        return None
    standing = claim.standing
    if claim.holder is None:
        is_near = standing is not None and now - standing.at <= NEWCOMER_AFTER
        return standing if waited or is_near else None
    is_known = silence < math.inf
    if silence > NEWCOMER_AFTER and (is_known or not waited):
        return None
    was_tried = standing is None or standing.tenure < 0
    standing = standing if standing is not None and standing.tenure >= 0 else on_trial(claim.since)
    if standing.at <= now - (silence if is_known else 0.0):
        return standing
    return Standing(tenure=NOT_YET, at=now) if was_tried else None


def on_trial(since: float) -> Standing:
    """What a holder that has been new since then has earned, if it lives on: wall clock, seconds."""
    return Standing(tenure=0.0, at=since + LOOK_AT_START + TRIAL)


def arrived(state: State, taken: ClaimTaken, now: float) -> State:
    """The claim is ours: go on as the incumbent, or begin as a newcomer."""
    if taken.tenure is not None:
        return replace(state, established_at=now - taken.tenure) if taken.tenure >= 0 else state
    low, high = BUSY_LOOK
    return replace(state, look=LOOK_AT_START, look_at=now + low + (high - low) * taken.jitter)


def tenure(state: State, now: float) -> float | None:
    """Seconds since we were established; None on trial."""
    return None if state.established_at is None else now - state.established_at


def answered(state: State, elapsed: float, now: float) -> State:
    """A poll was open for so long: the trial goes on, or is over. The same state where nothing changes."""
    if state.look_at < math.inf:
        if elapsed >= PARKED:
            state = replace(state, look_at=math.inf)
        elif now >= state.look_at:
            state = replace(state, look_at=math.inf, look=LOOK_AGAIN)
    if state.established_at is not None or state.yielding:
        return state  # the batch that showed a rival ends no trial
    trial = state.trial + elapsed
    return established(state, now) if trial >= TRIAL else replace(state, trial=trial)


def established(state: State, now: float) -> State:
    """Nobody has contradicted us for as long as a trial takes."""
    return replace(state, established_at=now, trial=0.0, came_back=False)


def doubtful(state: State, silence: float) -> State:
    """We did not hear of Telegram: look before the next poll, as a newcomer where that was too long."""
    state = replace(state, look=max(state.look, LOOK_AGAIN))
    return replace(state, established_at=None, trial=0.0) if silence > NEWCOMER_AFTER else state


def insists(state: State, jitter: float, now: float) -> State | None:
    """How an established poller goes on against a rival; None: it stands by, as one on trial does."""
    held = tenure(state, now)
    if held is None or state.quick_conflicts >= REFUSED_AT_MOST:
        return None
    until = state.insist_until
    if until is None:
        low, high = INSIST_JITTER
        until = now + held * (low + (high - low) * jitter) + INSIST_MORE
    return replace(state, insist_until=until) if now < until else None


def stood_by(state: State, now: float) -> State:
    """The rival has the bot."""
    was_there = now - state.back_at < GONE_AFTER
    return replace(
        state,
        yielding=True,
        look=0.0,
        look_at=math.inf,
        trial=0.0,
        established_at=None,
        insist_until=None,
        came_back=False,
        watch_for=min(2 * state.watch_for, WATCH_AT_MOST) if was_there else WATCH_FOR,
    )


def came_back(state: State, now: float, *, unopposed: bool) -> State:
    """The rival seems to be gone: a new trial, unless a probe of ours was one already."""
    state = replace(state, yielding=False, trial=0.0, quick_conflicts=0, came_back=True, back_at=now)
    return established(state, now) if unopposed else state
