"""The examination, step by step: the token, the store, Telegram twice, the store again, perhaps a probe.

The order matters: what the store shows is read around the two looks at Telegram, so that "nobody of ours
polls" holds for the time between them.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import typer

from onepoller.cli.doctor import output, records
from onepoller.cli.doctor.diagnosis import diagnose
from onepoller.cli.doctor.evidence import Access, Evidence, Look, Probe, ProbeEnd, StoreSeen
from onepoller.cli.doctor.probe import probe, question
from onepoller.cli.doctor.telegram import Refused, Telegram, Unreachable, root_of
from onepoller.cli.doctor.token import objection
from onepoller.cli.reading import chosen_store
from onepoller.coordination.errors import SettingsError
from onepoller.coordination.identity import bot_id_of
from onepoller.coordination.stores.choice import Chosen
from onepoller.coordination.webhook import host_of
from onepoller.metrics.redaction import install_redaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the command line says."""

    token_env: str
    api_root: str
    store: str | None
    state_dir: Path | None
    as_json: bool
    wait: float
    probe: int | None
    yes: bool


def run(given: Given, environment: Mapping[str, str]) -> int:
    """Examine, print, give the exit code. Raises SettingsError for wrong input, before anything is sent."""
    install_redaction()  # httpx logs URLs, for whoever turned its logging on
    token = environment.get(given.token_env, "")
    if not token:
        raise SettingsError(
            f"doctor: {given.token_env} is not set; name the token's variable with --token-env"
        )
    if given.probe is not None and not given.yes and not sys.stdin.isatty():
        raise SettingsError("doctor: a probe throws out whoever polls, and here is nobody to ask: add --yes")
    root, chosen = root_of(given.api_root), chosen_store(given.store, given.state_dir)
    seen = asyncio.run(_examine(given, token, root, chosen))
    findings = diagnose(seen)
    output.show(seen, findings, as_json=given.as_json)
    return output.exit_code(findings)


async def _examine(given: Given, token: str, root: httpx.URL, chosen: Chosen) -> Evidence:
    nothing = StoreSeen(name=chosen.name, note=chosen.note)
    seen = Evidence(
        variable=given.token_env,
        api=root.netloc.decode(),
        access=Access.MALFORMED,
        store=nothing,
        earlier=nothing,
        now=time.time(),
    )
    if wrong := objection(token):
        return replace(seen, reason=f"{given.token_env} holds no token: {wrong}")
    bot_id, store = bot_id_of(token), chosen.make()
    seen = replace(seen, bot_id=bot_id, earlier=await records.look(store, chosen, bot_id))
    async with httpx.AsyncClient() as client:
        telegram = Telegram(client, root, token)
        try:
            me = await telegram.ask("getMe")
            looks = [await _look(telegram)]
            await asyncio.sleep(given.wait)
            looks.append(await _look(telegram))
        except (Refused, Unreachable) as error:
            answer = _answer(error)
            return replace(seen, store=await records.look(store, chosen, bot_id), now=time.time(), **answer)
        seen = replace(
            seen,
            access=Access.GRANTED,
            username=str(me.get("username", "")),
            looks=tuple(looks),
            store=await records.look(store, chosen, bot_id),
        )
        made = await _probe(given, telegram, seen) if given.probe is not None else None
    return replace(seen, probe=made, now=time.time())


def _answer(error: Refused | Unreachable) -> dict[str, Any]:
    if isinstance(error, Unreachable):
        return {"access": Access.UNREACHABLE, "reason": str(error)}
    access = Access.REVOKED if error.status == httpx.codes.UNAUTHORIZED else Access.WRONG_SERVER
    return {"access": access, "reason": f"it answers {error.status}: {error.description}"}


async def _look(telegram: Telegram) -> Look:
    info = await telegram.ask("getWebhookInfo")
    return Look(
        at=time.time(),
        pending=int(info.get("pending_update_count", 0)),
        webhook_host=host_of(str(info.get("url", ""))),
        delivery_error=telegram.without_token(str(info.get("last_error_message", ""))),
    )


async def _probe(
    given: Given, telegram: Telegram, seen: Evidence, ask: Callable[..., bool] = typer.confirm
) -> Probe:
    """Ask, unless told not to, and probe."""
    assert given.probe is not None
    if seen.looks[-1].webhook_host:
        reason = "Telegram refuses getUpdates while a webhook is set"
    elif not given.yes and not ask(question(given.probe, seen.store), err=True):
        reason = "you said no"
    else:
        return await probe(telegram, given.probe)
    return Probe(seconds=given.probe, end=ProbeEnd.SKIPPED, text=reason)
