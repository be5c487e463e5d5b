"""What the log says of each event."""

from __future__ import annotations

import logging
import time

import pytest

from onepoller.coordination import events
from onepoller.coordination.conflict import Kind
from onepoller.coordination.events import Cause, Certainty, ClaimEvent, Dropped, Event, Outcome
from onepoller.coordination.identity import BotId, Identity, Term
from onepoller.coordination.report import Role
from onepoller.metrics.sentences import reminder, sentence

BOT, TERM = BotId(42), Term(7)
OTHER = Identity(
    host="beta", boot_id="", pid_namespace=0, pid=17, start_ticks=0, started_at=0.0, label="green"
)
WALL = time.mktime((2026, 11, 24, 15, 30, 0, 0, 0, -1))
TODAY = time.mktime((2026, 11, 24, 14, 2, 0, 0, 0, -1))
BEFORE = time.mktime((2026, 11, 23, 14, 2, 0, 0, 0, -1))


def became(
    role: Role,
    *,
    was: Role = Role.STARTING,
    cause: Cause | None = None,
    holder: Identity | None = None,
    since: float = 0.0,
    detail: str = "",
) -> events.RoleChanged:
    """Make a change of role."""
    return events.RoleChanged(
        bot_id=BOT,
        role=role,
        was=was,
        term=TERM,
        cause=cause,
        holder=holder,
        holder_since=since,
        detail=detail,
    )


def opened(kind: Kind, *, policy: str = "hold", detail: str = "") -> events.EpisodeOpened:
    """Make the beginning of an episode with another instance of ours."""
    return events.EpisodeOpened(bot_id=BOT, kind=kind, policy=policy, other=OTHER, detail=detail)


def guarded(answer: str, detail: str = "") -> events.WebhookCallGuarded:
    """Make a start-up call that was answered here."""
    return events.WebhookCallGuarded(bot_id=BOT, answer=answer, detail=detail)


def certain(
    certainty: Certainty,
    *,
    was: Certainty = Certainty.UNCERTAIN,
    claims: int = 3,
    left: float = 0.0,
    holds: bool = False,
) -> events.CertaintyChanged:
    """Make a change of certainty."""
    return events.CertaintyChanged(certainty=certainty, was=was, claims=claims, left=left, holds=holds)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (became(Role.POLLING), "INFO polling bot 42 as alpha pid 811 ('blue'), term 7"),
        (
            became(Role.POLLING, was=Role.STANDBY, cause=Cause.DIED),
            (
                "INFO polling bot 42 as alpha pid 811 ('blue'), term 7, "
                "taken over: the holder before is dead or frozen"
            ),
        ),
        (
            became(Role.POLLING, cause=Cause.HANDED_OVER),
            "INFO polling bot 42 as alpha pid 811 ('blue'), term 7, handed over",
        ),
        (became(Role.POLLING, was=Role.CONTENDED), "DEBUG bot 42: from contended to polling"),
        (
            became(Role.STANDBY, holder=OTHER, since=TODAY),
            (
                "WARNING standing by: bot 42 is polled by beta pid 17 ('green') since 14:02; "
                "I take over when it ends (onepoller status)"
            ),
        ),
        (
            became(Role.STANDBY, was=Role.POLLING, holder=OTHER, since=BEFORE),
            (
                "INFO standing by: bot 42 is polled by beta pid 17 ('green') since 2026-11-23 14:02; "
                "I take over when it ends (onepoller status)"
            ),
        ),
        (
            became(Role.STANDBY, holder=OTHER),
            (
                "WARNING standing by: bot 42 is polled by beta pid 17 ('green'); "
                "I take over when it ends (onepoller status)"
            ),
        ),
        (
            became(Role.STANDBY, was=Role.POLLING, detail="a rival polls"),
            "INFO standing by: bot 42: a rival polls; I poll as soon as I may (onepoller status)",
        ),
        (
            became(Role.STANDBY, was=Role.POLLING),
            "INFO standing by: bot 42; I poll as soon as I may (onepoller status)",
        ),
        (became(Role.STOPPED, was=Role.POLLING), "INFO stopped: bot 42"),
        (became(Role.BLOCKED, was=Role.POLLING), "DEBUG bot 42: from polling to blocked"),
        (
            events.ClaimChanged(bot_id=BOT, event=ClaimEvent.LOST, term=TERM, cause=Cause.SESSION),
            (
                "WARNING bot 42: the claim is lost (session, term 7); what comes in is not handed over, "
                "I queue up again"
            ),
        ),
        (
            events.ClaimChanged(
                bot_id=BOT, event=ClaimEvent.HANDED_OVER, term=TERM, cause=Cause.HANDED_OVER, other=OTHER
            ),
            "DEBUG bot 42: claim handed_over (handed_over, term 7, beta pid 17 ('green'))",
        ),
        (
            opened(Kind.RIVAL),
            (
                "WARNING conflict: bot 42 is also polled by somebody who is not in our store; "
                "I keep polling. Find that program, or revoke the token with @BotFather"
            ),
        ),
        (
            opened(Kind.UNKNOWN, policy="yield", detail="Conflict: news"),
            (
                "WARNING conflict: bot 42: a 409 whose text is new to me (Conflict: news). "
                "I take it for a rival: I stand by until it is gone"
            ),
        ),
        (opened(Kind.PEER), "WARNING conflict: bot 42 is polled by beta pid 17 ('green'); I stand by"),
        (
            opened(Kind.WEBHOOK_SET, detail="bot.example"),
            (
                "WARNING conflict: bot 42 has a webhook at bot.example, so Telegram refuses getUpdates. "
                "I delete nothing and poll again when it is gone"
            ),
        ),
        (
            events.EpisodeClosed(
                bot_id=BOT, kind=Kind.RIVAL, resolution="rival_gone", seconds=75.0, conflicts=12, missed=3
            ),
            (
                "WARNING conflict over: bot 42: the other program is gone after 75 s; 12 conflict answers, "
                "about 3 updates went elsewhere"
            ),
        ),
        (
            events.ConflictSeen(bot_id=BOT, kind=Kind.RIVAL, seconds=0.5),
            "DEBUG 409 for bot 42 after 0.50 s: rival",
        ),
        (
            events.UpdateGap(bot_id=BOT, missed=3, repeated=1),
            (
                "WARNING bot 42: 3 updates never came here and 1 came again: somebody else may poll this bot "
                "where no conflict shows it, or they expired"
            ),
        ),
        (
            events.UpdatesDropped(bot_id=BOT, count=3, reason=Dropped.STALE_OWNER),
            "INFO bot 42: 3 updates were not handed over (stale_owner); Telegram keeps them",
        ),
        (
            events.Stalled(bot_id=BOT, seconds=900.0),
            (
                "ERROR bot 42: the framework has not called getUpdates for 15 min, so its claim is given "
                "up and another instance may poll. "
                "If its loop is dead, only a restart helps: /healthz says so"
            ),
        ),
        (
            events.OwnOverlap(bot_id=BOT),
            (
                "WARNING bot 42: this process polls it twice; the second poller waits for the first, and "
                "Telegram sees one. It is a second poller of your own: start polling once"
            ),
        ),
        (events.CallsResumed(bot_id=BOT), "INFO bot 42: the framework calls again"),
        (
            events.TokenRefused(bot_id=BOT),
            (
                "ERROR bot 42: Telegram refuses the token (401): it was revoked, or replaced. Some "
                "frameworks end their polling without a word now. Get the valid token from @BotFather and "
                "restart with it"
            ),
        ),
        (guarded("already_deleted"), "DEBUG bot 42: deleteWebhook was answered here: there is no webhook"),
        (
            guarded("drop_skipped"),
            (
                "WARNING bot 42: dropping the pending updates was skipped: "
                "an instance that works on them is alive"
            ),
        ),
        (
            guarded("refused", "bot.example"),
            (
                "ERROR bot 42: deleteWebhook was refused: the bot has a webhook (bot.example). "
                "If it may go, set on_webhook='delete'"
            ),
        ),
        (guarded("delayed"), "WARNING bot 42: a start-up call was answered here: delayed"),
        (
            events.ProcessEnding(bot_id=BOT, reason="another instance polls"),
            "WARNING ending this process with exit code 75, as told: bot 42: another instance polls",
        ),
        (events.StoreTrouble(text="no space left."), "WARNING the store is in trouble: no space left."),
        (events.StoreTrouble(text=""), "WARNING the store is well again"),
        (
            certain(Certainty.UNCERTAIN, left=5.6),
            "INFO claims of 3 bots uncertain: a heartbeat failed. I poll on until my deadline, for 6 s",
        ),
        (
            certain(Certainty.LOST),
            (
                "WARNING claims of 3 bots lost: the store did not answer until my deadline. "
                "I stand by until it does, and another instance may take them"
            ),
        ),
        (
            certain(Certainty.LOST, holds=True),
            (
                "WARNING claims of 3 bots lost: the store did not answer until my deadline. "
                "I poll on, as told, until I see somebody else poll"
            ),
        ),
        (certain(Certainty.HELD), "INFO claims of 3 bots: the store answers again"),
        (certain(Certainty.HELD, was=Certainty.LOST), "WARNING claims of 3 bots: the store answers again"),
        (
            certain(Certainty.UNCERTAIN, claims=0, left=6.0),
            "DEBUG claims of 0 bots uncertain: a heartbeat failed. I poll on until my deadline, for 6 s",
        ),
        (
            events.HoldEnded(bot_id=BOT),
            "WARNING bot 42: somebody else polls it while the store is away, so I stand by until it answers",
        ),
        (
            events.SessionOpened(session="s", store="file", lease=10.0),
            "INFO instances meet in file, lease 10 s",
        ),
        (
            events.SessionOpened(
                session="s", store="memory", lease=10.0, note="only this process is covered."
            ),
            "WARNING instances meet in memory: only this process is covered.",
        ),
        (
            events.SessionLost(reason="its file was replaced"),
            (
                "WARNING this process's session is lost (its file was replaced): nothing is handed over "
                "until I have opened a new one"
            ),
        ),
        (events.BeatEnded(seconds=0.1, error="away"), "DEBUG a heartbeat failed: away"),
    ],
)
def test_an_event_has_its_sentence(event: Event, line: str, me: Identity) -> None:
    """The level, and the whole sentence."""
    said = sentence(event, me=me, wall=WALL)

    assert said is not None
    assert f"{logging.getLevelName(said.level)} {said.text % said.args}" == line


@pytest.mark.parametrize(
    "event",
    [
        events.BotSeen(bot_id=BOT),
        events.BotGone(bot_id=BOT),
        events.PollEnded(bot_id=BOT, outcome=Outcome.EMPTY, seconds=10.0),
        events.BeatEnded(seconds=0.1),
        events.StoreCalled(operation="swap", seconds=0.1, error="full"),
    ],
)
def test_what_happens_all_the_time_is_not_told(event: Event, me: Identity) -> None:
    """It is counted."""
    assert sentence(event, me=me, wall=WALL) is None


@pytest.mark.parametrize(
    ("seconds", "words"), [(119.0, "119 s"), (600.0, "10 min"), (7199.0, "120 min"), (9000.0, "2.5 h")]
)
def test_a_reminder_tells_how_long_in_fitting_units(seconds: float, words: str) -> None:
    """Nobody reads 9000 s."""
    line = reminder(Kind.RIVAL, bot_id=BOT, seconds=seconds, conflicts=5)

    assert line.text % line.args == (
        f"conflict goes on: bot 42, rival, for {words} now, 5 conflict answers (onepoller status)"
    )
