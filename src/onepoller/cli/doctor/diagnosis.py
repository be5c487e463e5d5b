"""`diagnose`: from evidence to causes. Pure; rests on what the published server does.

A 409 proves that somebody polled during the probe; its absence, that no other long poll began. A count of
waiting updates that falls proves a poller (or an update that expired: inline queries after 30 s); one that
stays or grows, that nobody confirms. A count of 0 proves nothing: a rival is quick. A getUpdates with
`timeout=0` would prove nothing either, so none is sent.
"""

from __future__ import annotations

from dataclasses import dataclass

from onepoller.cli.doctor.causes import ACCOUNTS, Account, Cause, Level
from onepoller.cli.doctor.evidence import Access, Evidence, Instance, ProbeEnd
from onepoller.cli.doctor.wording import ago, clock, updates
from onepoller.coordination.conflict import RIVAL_KINDS
from onepoller.coordination.report import Role

LONGEST_SILENCE = 90.0
"""A poll lasts at most 50 s, may be 20 s overdue, and is told with the next beat."""

_BY_ACCESS = {
    Access.MALFORMED: Cause.MALFORMED_TOKEN,
    Access.REVOKED: Cause.REVOKED_TOKEN,
    Access.WRONG_SERVER: Cause.WRONG_SERVER,
    Access.UNREACHABLE: Cause.UNREACHABLE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A cause, what shows it, and what to do."""

    cause: Cause
    evidence: tuple[str, ...]
    advice: tuple[str, ...]

    @property
    def account(self) -> Account:
        """Its words."""
        return ACCOUNTS[self.cause]


def diagnose(seen: Evidence) -> list[Finding]:
    """Every problem found, or else the one finding that says how things are."""
    found = [finding for finding in (_access(seen), _store(seen), *_telegram(seen)) if finding is not None]
    if seen.access is not Access.GRANTED or any(f.account.level is Level.PROBLEM for f in found):
        return found
    return [*found, _no_problem(seen)]


def _telegram(seen: Evidence) -> list[Finding | None]:
    if not seen.looks:
        return []
    webhook = _webhook(seen)
    if webhook is not None:
        return [webhook]  # with a webhook nobody polls, and the counts are those of its deliveries
    return [_rival(seen), _dead_poller(seen) or _nobody_polls(seen)]


def _finding(seen: Evidence, cause: Cause, evidence: list[str], *more: str) -> Finding:
    bot = seen.bot_id if seen.bot_id is not None else "BOT_ID"
    advice = [text.format(bot=bot, variable=seen.variable) for text in ACCOUNTS[cause].advice]
    return Finding(cause=cause, evidence=tuple(evidence), advice=(*more, *advice))


def _access(seen: Evidence) -> Finding | None:
    cause = _BY_ACCESS.get(seen.access)
    if cause is None:
        return None
    evidence, poller = [seen.reason], seen.store.poller
    if cause in (Cause.REVOKED_TOKEN, Cause.UNREACHABLE) and poller and poller.last_poll:
        evidence.append(f"{poller.who} holds the bot in our store; {_last_poll(seen, poller)}")
    return _finding(seen, cause, evidence)


def _store(seen: Evidence) -> Finding | None:
    evidence = [seen.store.trouble] if seen.store.trouble else []
    waits = seen.earlier.standbys and seen.store.standbys
    if waits and seen.earlier.poller is None and seen.store.poller is None:
        evidence.append(
            f"{seen.store.standbys[0].who} waits for the bot, nobody holds it, and it is not taken"
        )
    return _finding(seen, Cause.STORE_TROUBLE, evidence) if evidence else None


def _webhook(seen: Evidence) -> Finding | None:
    first, last = seen.looks[0], seen.looks[-1]
    if first.webhook_host != last.webhook_host:
        was, now = (look.webhook_host or "none" for look in (first, last))
        return _finding(
            seen,
            Cause.WEBHOOK_CHANGES,
            [f"webhook at the first look: {was}; {seen.waited:.0f} s later: {now}"],
        )
    if not last.webhook_host:
        return None
    evidence = [f"the webhook leads to {last.webhook_host}; {updates(last.pending)} for it"]
    if last.delivery_error:
        evidence.append(f"its last delivery failed: {last.delivery_error}")
    if poller := seen.store.poller:
        evidence.append(f"{poller.who} wants to poll and waits until it is gone")
    return _finding(seen, Cause.WEBHOOK, evidence)


def _rival(seen: Evidence) -> Finding | None:
    evidence, poller, episode = [], seen.store.poller, seen.store.episode
    if poller and episode is not None and episode.kind in RIVAL_KINDS:
        evidence.append(
            f"{poller.who} holds the bot in our store and has had a conflict with somebody outside since "
            f"{clock(episode.since, now=seen.now)}"
        )
        if poller.role is Role.CONTENDED:
            evidence.append("the conflict goes on: that instance is contended at this moment")
    first, last = seen.looks[0], seen.looks[-1]
    if _none_of_ours(seen):
        if last.pending < first.pending:
            evidence.append(
                f"the updates that wait fell from {first.pending} to {last.pending} within "
                f"{seen.waited:.0f} s, and nobody in our store polls"
            )
        if seen.probe is not None and seen.probe.end is ProbeEnd.CONFLICT:
            evidence.append("the probe was thrown out by another getUpdates, and nobody in our store polls")
    return _finding(seen, Cause.RIVAL, evidence) if evidence else None


def _dead_poller(seen: Evidence) -> Finding | None:
    poller = seen.store.poller
    # One that was stopped in order is no trouble as long as nothing waits for it.
    silent = [one for one in seen.store.silent if one.role is Role.STANDBY or seen.looks[-1].pending]
    if poller is not None:
        evidence = _silence(seen, poller)
    elif silent and not seen.store.standbys and _is_left(seen):
        evidence = [
            f"{one.who} has the bot open and calls no getUpdates{_since(seen, one)}" for one in silent
        ]
        evidence.append(_waiting(seen))
    else:
        return None
    if not evidence:
        return None
    passes_on = f"Meanwhile: onepoller handover {seen.bot_id} gives the bot to {{who}}, which waits for it."
    more = [passes_on.format(who=one.who) for one in seen.store.standbys[:1] if poller is not None]
    return _finding(seen, Cause.DEAD_POLLER, [sentence for sentence in evidence if sentence], *more)


def _silence(seen: Evidence, poller: Instance) -> list[str]:
    """What shows that the holder does not poll; nothing while it yields to a rival or has just begun."""
    if poller.role is not Role.POLLING:
        return []
    first = seen.looks[0]
    # A report is a third of a lease old at most.
    before = max(poller.last_poll, seen.store.since) < first.at - poller.lease / 2
    is_left = before and _is_left(seen) and first.pending > 0
    is_long = bool(poller.last_poll) and seen.now - poller.last_poll > LONGEST_SILENCE
    # A probe that it did not throw out shows nothing: it may yield to what it takes for a rival.
    if not (is_left or is_long):
        return []
    return [f"{poller.who} holds the bot; {_last_poll(seen, poller)}", _waiting(seen)]


def _nobody_polls(seen: Evidence) -> Finding | None:
    if not _none_of_ours(seen) or seen.store.standbys or not _is_left(seen):
        return None
    unopposed = _unopposed(seen)
    if not unopposed and seen.looks[-1].pending == 0:
        return None
    evidence = [_waiting(seen), unopposed, _nobody_here(seen)]
    return _finding(seen, Cause.NOBODY_POLLS, [sentence for sentence in evidence if sentence])


def _no_problem(seen: Evidence) -> Finding:
    poller, last = seen.store.poller, seen.looks[-1]
    waits = f"no webhook is set; {updates(last.pending)}"
    if poller is None:
        return _finding(seen, Cause.UNSEEN, [waits, _nobody_here(seen)])
    evidence = [f"{poller.who} holds the bot; {_last_poll(seen, poller)}", waits]
    if not seen.store.standbys:
        return _finding(seen, Cause.HEALTHY, evidence)
    evidence += [
        f"{one.who} stands by for it, {'on this host' if one.is_here else 'on another host'}"
        for one in seen.store.standbys
    ]
    return _finding(seen, Cause.PEER, evidence)


def _none_of_ours(seen: Evidence) -> bool:
    """Nobody in our store polled, neither at the first look nor at the last."""
    return seen.earlier.poller is None and seen.store.poller is None


def _is_left(seen: Evidence) -> bool:
    """No update was confirmed between the looks, and no probe met anybody."""
    met = seen.probe is not None and seen.probe.end is ProbeEnd.CONFLICT
    return not met and seen.looks[-1].pending >= seen.looks[0].pending


def _waiting(seen: Evidence) -> str:
    first, last = seen.looks[0], seen.looks[-1]
    if last.pending == 0:
        return ""
    return f"{updates(first.pending)}, and {seen.waited:.0f} s later {last.pending}: nobody confirms them"


def _unopposed(seen: Evidence) -> str:
    if seen.probe is None or seen.probe.end is not ProbeEnd.EMPTY:
        return ""
    return (
        f"a long poll of {seen.probe.seconds:.0f} s was not thrown out: no other long poll began "
        "meanwhile (a poller that never waits is not seen so)"
    )


def _nobody_here(seen: Evidence) -> str:
    holder = seen.store.holder
    return (
        f"{holder.who} held the bot, and is dead or frozen"
        if holder
        else "no process has this bot open in our store"
    )


def _since(seen: Evidence, instance: Instance) -> str:
    return f"; {_last_poll(seen, instance)}" if instance.last_poll else ""


def _last_poll(seen: Evidence, instance: Instance) -> str:
    if not instance.last_poll:
        return "it has told of no answered poll (onepoller run without --proxy never does)"
    return f"Telegram last answered a poll of it {ago(instance.last_poll, now=seen.now)}"
