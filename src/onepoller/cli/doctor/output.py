"""How an examination is shown: for people, or as JSON with the same facts. Pure but for printing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from onepoller.cli.doctor.causes import Cause, Level
from onepoller.cli.doctor.diagnosis import Finding
from onepoller.cli.doctor.evidence import Evidence, Instance, StoreSeen
from onepoller.cli.doctor.probe import account
from onepoller.cli.doctor.wording import ago, clock, updates

HEALTHY, PROBLEM, UNAVAILABLE = 0, 1, 69
"""Exit codes; 2 is a usage error. 69 is EX_UNAVAILABLE of sysexits.h: Telegram does not answer."""


def exit_code(findings: Sequence[Finding]) -> int:
    """What a script is told."""
    if any(finding.cause is Cause.UNREACHABLE for finding in findings):
        return UNAVAILABLE
    return PROBLEM if any(finding.account.level is Level.PROBLEM for finding in findings) else HEALTHY


def show(seen: Evidence, findings: Sequence[Finding], *, as_json: bool) -> None:
    """Print it."""
    if as_json:
        print(json.dumps(as_data(seen, findings)))
        return
    print("\n".join(lines(seen, findings)))


def lines(seen: Evidence, findings: Sequence[Finding]) -> Iterator[str]:
    """What was seen, then each finding with its evidence and what to do."""
    if seen.bot_id is not None:
        name = f" (@{seen.username})" if seen.username else ""
        yield f"bot {seen.bot_id}{name} at {seen.api}"
    yield f"store {seen.store.name}"
    yield from (f"! {sentence}" for sentence in (seen.store.note, seen.store.trouble) if sentence)
    yield from (f"  {sentence}" for sentence in _instances(seen.store, now=seen.now))
    if seen.looks:
        webhook = seen.looks[-1].webhook_host or "none"
        first, last = seen.looks[0].pending, seen.looks[-1].pending
        yield f"webhook {webhook}; {updates(first)}, {seen.waited:.0f} s later {last}"
    if seen.probe is not None:
        yield f"probe {account(seen.probe, seen.store.poller)}"
    for finding in findings:
        yield ""
        level = finding.account.level
        yield finding.account.title if level is Level.FINE else f"{level}: {finding.account.title}"
        yield from (f"  seen: {sentence}" for sentence in finding.evidence)
        yield from (f"  do: {sentence}" for sentence in finding.advice)
        if finding.account.limit:
            yield f"  limit: {finding.account.limit}"


def _instances(store: StoreSeen, *, now: float) -> Iterator[str]:
    if store.holder is not None:
        yield f"{_shown(store.holder, now=now)}, holds it since {clock(store.since, now=now)}"
    yield from (f"{_shown(one, now=now)}, waits for it" for one in store.standbys)
    yield from (f"{_shown(one, now=now)}, neither holds it nor waits" for one in store.silent)


def _shown(one: Instance, *, now: float) -> str:
    life = one.role.label if one.is_alive and one.role else "alive" if one.is_alive else "dead or frozen"
    polled = f", answered {ago(one.last_poll, now=now)}" if one.last_poll else ""
    return f"{one.who}: {life}{polled}"


def as_data(seen: Evidence, findings: Sequence[Finding]) -> dict[str, Any]:
    """The same as data."""
    store = seen.store
    probed = seen.probe
    return {
        "bot_id": seen.bot_id,
        "username": seen.username or None,
        "api": seen.api,
        "token": str(seen.access),
        "reason": seen.reason or None,
        "store": store.name,
        "note": store.note or None,
        "trouble": store.trouble or None,
        "holder": _data(store.holder),
        "since": store.since or None,
        "episode": asdict(store.episode) if store.episode else None,
        "standbys": [_data(one) for one in store.standbys],
        "silent": [_data(one) for one in store.silent],
        "looks": [asdict(look) for look in seen.looks],
        "probe": asdict(probed) | {"account": account(probed, store.poller)} if probed else None,
        "findings": [
            {
                "cause": str(finding.cause),
                "level": str(finding.account.level),
                "title": finding.account.title,
                "evidence": list(finding.evidence),
                "advice": list(finding.advice),
                "limit": finding.account.limit or None,
            }
            for finding in findings
        ],
        "exit_code": exit_code(findings),
    }


def _data(one: Instance | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return asdict(one) | {"role": one.role.label if one.role else None, "last_poll": one.last_poll or None}
