"""`diagnose`: evidence in, causes out. Each row is one bot as it was seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from onepoller.cli.doctor.causes import Cause
from onepoller.cli.doctor.diagnosis import diagnose
from onepoller.cli.doctor.evidence import Access, Evidence, Instance, Look, Probe, ProbeEnd, StoreSeen
from onepoller.coordination.conflict import Kind
from onepoller.coordination.report import Role
from onepoller.coordination.stores.seam import Episode

NOW = 10_000.0
FIRST, LAST = NOW - 6.0, NOW - 1.0
POLLING = Instance(
    who="alpha pid 811",
    host="alpha",
    pid=811,
    label="",
    is_here=True,
    is_alive=True,
    lease=10.0,
    role=Role.POLLING,
    last_poll=NOW - 3.0,
)
WAITING = replace(POLLING, who="beta pid 902", pid=902, role=Role.STANDBY, last_poll=0.0, is_here=False)
EMPTY = StoreSeen(name="here")
HELD = StoreSeen(name="here", holder=POLLING, since=NOW - 600.0)
CONFLICT = Episode(kind=Kind.RIVAL, since=NOW - 60.0, conflicts=4)


def holder(**changes: Any) -> StoreSeen:
    """Make a store whose holder differs so from one that polls."""
    return replace(HELD, holder=replace(POLLING, **changes))


def seen(store: StoreSeen, *pending: int, earlier: StoreSeen | None = None, **facts: Any) -> Evidence:
    """Make the evidence of two looks with so many waiting updates; the store was the same before."""
    looks = tuple(Look(at=at, pending=count) for at, count in zip((FIRST, LAST), pending, strict=True))
    usual = {"variable": "TOKEN", "api": "api", "access": Access.GRANTED, "bot_id": 7, "looks": looks}
    return Evidence(**{"store": store, "earlier": earlier or store, "now": NOW, **usual, **facts})


def probed(end: ProbeEnd) -> Probe:
    """Make a probe that ended so."""
    return Probe(seconds=8, end=end)


def causes(evidence: Evidence) -> list[Cause]:
    """Give the causes found."""
    return [finding.cause for finding in diagnose(evidence)]


SILENT = replace(WAITING, who="beta pid 903", is_here=True)
OLD = {"last_poll": FIRST - 5.5}

CASES = [
    ("one that polls is healthy", seen(HELD, 0, 0), Cause.HEALTHY),
    ("a batch that is not confirmed yet is no trouble", seen(HELD, 3, 3), Cause.HEALTHY),
    ("updates that come while it polls are no trouble", seen(HELD, 1, 4), Cause.HEALTHY),
    ("updates that go while it polls are its own", seen(HELD, 4, 0), Cause.HEALTHY),
    ("a long poll may be open for 50 s", seen(holder(last_poll=NOW - 69.0), 0, 0), Cause.HEALTHY),
    ("a command of `run` tells of no poll", seen(holder(last_poll=0.0), 0, 0), Cause.HEALTHY),
    (
        "it has only just begun",
        seen(replace(holder(last_poll=0.0), since=FIRST - 4.5), 2, 2),
        Cause.HEALTHY,
    ),
    (
        "a standby beside it is a peer",
        seen(replace(HELD, standbys=(WAITING,)), 0, 0),
        Cause.PEER,
    ),
    (
        "a probe that our own poller threw out shows no rival",
        seen(HELD, 0, 0, probe=probed(ProbeEnd.CONFLICT)),
        Cause.HEALTHY,
    ),
    (
        "a probe that our own poller made room for shows no death",
        seen(holder(**OLD), 0, 0, probe=probed(ProbeEnd.EMPTY)),
        Cause.HEALTHY,
    ),
    ("an open episode is a rival", seen(replace(HELD, episode=CONFLICT), 0, 0), Cause.RIVAL),
    (
        "an episode of unknown kind is a rival's",
        seen(replace(HELD, episode=replace(CONFLICT, kind=Kind.UNKNOWN)), 0, 0),
        Cause.RIVAL,
    ),
    (
        "an episode of a peer is not",
        seen(replace(HELD, episode=replace(CONFLICT, kind=Kind.PEER)), 0, 0),
        Cause.HEALTHY,
    ),
    (
        "an episode of a holder that died is over",
        seen(replace(holder(is_alive=False), episode=CONFLICT), 0, 0),
        Cause.UNSEEN,
    ),
    (
        "one that yields to a rival is not dead",
        seen(replace(holder(role=Role.CONTENDED, last_poll=NOW - 900.0), episode=CONFLICT), 2, 2),
        Cause.RIVAL,
    ),
    ("updates that go while nobody of ours polls", seen(EMPTY, 3, 2), Cause.RIVAL),
    ("updates that go although our holder is dead", seen(holder(is_alive=False), 3, 0), Cause.RIVAL),
    ("the same, but ours polled at the first look", seen(EMPTY, 3, 0, earlier=HELD), Cause.UNSEEN),
    ("a probe that was thrown out", seen(EMPTY, 0, 0, probe=probed(ProbeEnd.CONFLICT)), Cause.RIVAL),
    (
        "the same with updates that stay: who holds them is a rival too",
        seen(EMPTY, 2, 2, probe=probed(ProbeEnd.CONFLICT)),
        Cause.RIVAL,
    ),
    ("updates that stay, and no instance", seen(EMPTY, 2, 2), Cause.NOBODY_POLLS),
    ("updates that grow, and a dead instance", seen(holder(is_alive=False), 2, 3), Cause.NOBODY_POLLS),
    ("a probe that nobody threw out", seen(EMPTY, 0, 0, probe=probed(ProbeEnd.EMPTY)), Cause.NOBODY_POLLS),
    (
        "a probe that met updates shows nothing",
        seen(EMPTY, 0, 0, probe=probed(ProbeEnd.UPDATES)),
        Cause.UNSEEN,
    ),
    ("nothing at all", seen(EMPTY, 0, 0), Cause.UNSEEN),
    ("updates stay, and it had no answer since before", seen(holder(**OLD), 2, 2), Cause.DEAD_POLLER),
    (
        "it yields nothing yet: a report may be a third of a lease old",
        seen(holder(last_poll=FIRST - 4.5), 2, 2),
        Cause.HEALTHY,
    ),
    ("the same, and the updates went", seen(holder(**OLD), 2, 0), Cause.HEALTHY),
    ("they came after the first look only", seen(holder(**OLD), 0, 2), Cause.HEALTHY),
    ("no answer for more than 90 s", seen(holder(last_poll=NOW - 91.0), 0, 0), Cause.DEAD_POLLER),
    (
        "a loop that ended: open, not waiting",
        seen(replace(EMPTY, silent=(SILENT,)), 0, 0),
        Cause.DEAD_POLLER,
    ),
    (
        "a loop that was stopped, and nothing waits",
        seen(replace(EMPTY, silent=(replace(SILENT, role=Role.STOPPED),)), 0, 0),
        Cause.UNSEEN,
    ),
    (
        "a loop that was stopped, and updates wait",
        seen(replace(EMPTY, silent=(replace(SILENT, role=Role.STOPPED),)), 1, 1),
        Cause.DEAD_POLLER,
    ),
    (
        "one that is silent beside one that polls",
        seen(replace(HELD, silent=(SILENT,)), 0, 0),
        Cause.HEALTHY,
    ),
    (
        "somebody waits, and nobody is given the claim",
        seen(replace(EMPTY, standbys=(WAITING,)), 0, 0),
        Cause.STORE_TROUBLE,
    ),
    (
        "somebody has only just come to wait",
        seen(replace(EMPTY, standbys=(WAITING,)), 0, 0, earlier=EMPTY),
        Cause.UNSEEN,
    ),
    ("the store says so itself", seen(replace(HELD, trouble="No space left."), 0, 0), Cause.STORE_TROUBLE),
]


@pytest.mark.parametrize(
    ("evidence", "cause"), [pytest.param(evidence, cause, id=name) for name, evidence, cause in CASES]
)
def test_one_bot_has_one_cause(evidence: Evidence, cause: Cause) -> None:
    """What was seen is named, and nothing else."""
    assert causes(evidence) == [cause]


@pytest.mark.parametrize(
    ("access", "cause"),
    [
        (Access.MALFORMED, Cause.MALFORMED_TOKEN),
        (Access.REVOKED, Cause.REVOKED_TOKEN),
        (Access.WRONG_SERVER, Cause.WRONG_SERVER),
        (Access.UNREACHABLE, Cause.UNREACHABLE),
    ],
)
def test_without_access_nothing_is_said_of_polling(access: Access, cause: Cause) -> None:
    """The store alone is no proof of health."""
    assert causes(seen(HELD, 0, 0, access=access, reason="no", looks=())) == [cause]


def test_a_good_token_elsewhere_is_evidence_beside_a_revoked_one() -> None:
    """An instance that polls has the valid token."""
    [finding] = diagnose(seen(HELD, 0, 0, access=Access.REVOKED, reason="401", looks=()))
    assert finding.evidence == (
        "401",
        "alpha pid 811 holds the bot in our store; Telegram last answered a poll of it 3 s ago",
    )


@pytest.mark.parametrize(
    ("hosts", "cause"),
    [
        pytest.param(("hook.example", "hook.example"), Cause.WEBHOOK, id="it stays"),
        pytest.param(("", "hook.example"), Cause.WEBHOOK_CHANGES, id="it came"),
        pytest.param(("hook.example", ""), Cause.WEBHOOK_CHANGES, id="it went"),
        pytest.param(("hook.example", "other.example"), Cause.WEBHOOK_CHANGES, id="it moved"),
    ],
)
def test_a_webhook_explains_everything_else(hosts: tuple[str, str], cause: Cause) -> None:
    """Where one is set, counts and silence say nothing of pollers."""
    looks = tuple(
        Look(at=at, pending=9 - n, webhook_host=host)
        for n, (at, host) in enumerate(zip((FIRST, LAST), hosts, strict=True))
    )
    assert causes(seen(holder(**OLD), 0, 0, looks=looks)) == [cause]


def test_trouble_of_the_store_does_not_hide_a_rival() -> None:
    """Two problems are two findings."""
    troubled = replace(HELD, trouble="No space left.", episode=CONFLICT)
    assert causes(seen(troubled, 0, 0)) == [Cause.STORE_TROUBLE, Cause.RIVAL]


def test_a_dead_holder_with_a_peer_can_be_passed_on_at_once() -> None:
    """The first advice is the handover, to whom it names."""
    [finding] = diagnose(seen(replace(holder(**OLD), standbys=(WAITING,)), 2, 2))
    assert finding.advice[0] == (
        "Meanwhile: onepoller handover 7 gives the bot to beta pid 902, which waits for it."
    )


def test_advice_names_the_bot_and_the_variable() -> None:
    """It can be copied into a shell."""
    [peer] = diagnose(seen(replace(HELD, standbys=(WAITING,)), 0, 0))
    [malformed] = diagnose(seen(EMPTY, 0, 0, access=Access.MALFORMED, reason="no", looks=()))
    assert peer.advice[0] == "To pass the bot on: onepoller handover 7"
    assert "into TOKEN:" in malformed.advice[0]
