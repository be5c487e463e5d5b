"""What a snapshot of the store shows of one bot."""

from __future__ import annotations

from dataclasses import replace

from onepoller.cli.doctor.records import seen_in
from onepoller.coordination.identity import BotId, SessionId, own_identity
from onepoller.coordination.report import BotReport, Role, pack
from onepoller.coordination.stores.seam import Claim, Liveness, SessionRecord, Snapshot, Wish

BOT, OTHER = BotId(7), BotId(8)
ME = own_identity()


def session(name: str, liveness: Liveness = Liveness.ALIVE, *, bot: BotId = BOT, role: Role) -> SessionRecord:
    """Make a session that reports one bot."""
    report = pack([BotReport(bot_id=bot, role=role, last_poll=5.0)])
    return SessionRecord(id=SessionId(name), identity=ME, liveness=liveness, lease=10.0, report=report)


def snapshot(*sessions: SessionRecord, holder: str | None = None, waiting: tuple[str, ...] = ()) -> Snapshot:
    """Make a store of these sessions, one of which may hold the bot, and some wait for it."""
    claim = Claim(bot_id=BOT, holder=SessionId(holder) if holder else None, since=3.0)
    wishes = [Wish(bot_id=BOT, session=SessionId(name)) for name in waiting]
    return Snapshot(claims={BOT: claim}, wishes={BOT: wishes}, sessions={one.id: one for one in sessions})


def test_each_instance_has_its_place() -> None:
    """One holds, one waits, one has it open only, and one has another bot."""
    found = seen_in(
        snapshot(
            session("holder", role=Role.POLLING),
            session("waits", role=Role.STANDBY),
            session("ended", role=Role.STOPPED),
            session("other", bot=OTHER, role=Role.POLLING),
            holder="holder",
            waiting=("waits",),
        ),
        BOT,
        name="here",
    )
    assert found.poller is not None
    assert (found.poller.role, found.poller.last_poll, found.poller.is_here) == (Role.POLLING, 5.0, True)
    assert [one.role for one in found.standbys] == [Role.STANDBY]
    assert [one.role for one in found.silent] == [Role.STOPPED]


def test_a_dead_holder_is_shown_and_is_no_poller() -> None:
    """Who held it last is worth knowing."""
    found = seen_in(
        snapshot(session("dead", Liveness.SILENT, role=Role.POLLING), holder="dead"), BOT, name="here"
    )
    assert found.holder is not None
    assert found.poller is None


def test_the_dead_neither_wait_nor_are_silent() -> None:
    """They have nothing open any more."""
    dead = [session(name, Liveness.OVER, role=Role.STANDBY) for name in ("waits", "ended")]
    found = seen_in(snapshot(*dead, waiting=("waits",)), BOT, name="here")
    assert (found.standbys, found.silent) == ((), ())


def test_a_bot_that_nobody_ever_had_is_nothing() -> None:
    """No claim, no wish, no session."""
    found = seen_in(Snapshot(claims={}, wishes={}, sessions={}), BOT, name="here")
    assert (found.holder, found.standbys, found.silent) == (None, (), ())


def test_another_boot_is_another_host() -> None:
    """Whatever its name is: containers and clones share names."""
    far = replace(session("far", role=Role.POLLING), identity=replace(ME, boot_id="another"))
    found = seen_in(snapshot(far, holder="far"), BOT, name="here")
    assert found.poller is not None
    assert not found.poller.is_here
