"""`onepoller run`: a bot that nobody can change, run only while this instance holds its claim."""

from __future__ import annotations

import asyncio
import shutil
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onepoller.adapters.command import (
    FORWARDED,
    Command,
    Notifier,
    Reaper,
    Restart,
    Supervisor,
    behind_proxy,
    tenure,
)
from onepoller.adapters.command.child import Child
from onepoller.adapters.command.notify import OWN
from onepoller.coordination import events
from onepoller.coordination.errors import SettingsError, SetupError
from onepoller.coordination.identity import BotId, bot_id_of
from onepoller.coordination.report import Role
from onepoller.process import OnePoller

if TYPE_CHECKING:
    from onepoller.adapters.proxy.server import Proxy

LONGEST_GRACE = 3600.0
USUAL_DRAIN = 10.0
"""A handover waits for the child at least so long; longer where the grace is longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the command line says."""

    command: Sequence[str]
    bot: int | None
    token_env: str
    grace: float
    restart: Restart
    proxy: bool
    proxy_env: str
    api_root: str
    store: str | None
    state_dir: Path | None


def run(given: Given, environment: Mapping[str, str]) -> int:
    """Run COMMAND until its last end; the exit code to pass on. Raises SettingsError for wrong input."""
    if not 0 <= given.grace <= LONGEST_GRACE:
        raise SettingsError(
            f"run: --grace must lie between 0 and {LONGEST_GRACE:g} seconds, not be {given.grace:g}"
        )
    if not given.proxy_env or "=" in given.proxy_env or "\0" in given.proxy_env:
        raise SettingsError(f"run: --proxy-env must be the name of a variable, not {given.proxy_env!r}")
    bot_id = _bot_id(given, environment)
    if shutil.which(given.command[0], path=environment.get("PATH")) is None:
        raise SettingsError(f"run: there is no program {given.command[0]!r} here, or it may not be executed")
    signs = _Signs()
    drain: dict[str, Any] = {"drain_timeout": given.grace} if given.grace > USUAL_DRAIN else {}
    poller = OnePoller(
        store=given.store,
        state_dir=given.state_dir,
        log_format=environment.get("ONEPOLLER_LOG_FORMAT") or "text",
        listeners=[signs],
        environment=environment,
        handle_sigterm=False,  # the child goes first
        **drain,
    )
    with poller:
        return asyncio.run(_run(given, environment, poller, bot_id, signs))


async def _run(
    given: Given, environment: Mapping[str, str], poller: OnePoller, bot_id: BotId, signs: _Signs
) -> int:
    notifier = Notifier(environment)
    loop = asyncio.get_running_loop()
    theirs = {name: value for name, value in environment.items() if name not in OWN}
    hold = tenure.hold
    before_each: Callable[[], None] = _no_proxy
    async with AsyncExitStack() as opened:
        reaper = opened.enter_context(Reaper())
        if given.proxy:
            hold = behind_proxy.hold
            proxy = await opened.enter_async_context(_sidecar(given, poller, bot_id))
            theirs[given.proxy_env] = proxy.url
            before_each = proxy.begin_anew
        command = Command(
            arguments=given.command,
            environment=theirs,
            grace=given.grace,
            reaper=reaper,
        )

        def start() -> Child:
            before_each()
            return command.start()

        supervisor = Supervisor(
            poller.guard(bot_id),
            name=command.name,
            start=start,
            restart=given.restart,
            hold=hold,
            tell=lambda text: notifier.tell(READY="1", STATUS=text),
        )
        signs.told = lambda text: loop.call_soon_threadsafe(supervisor.tell, text)
        for number in FORWARDED:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, and a shell's background jobs
                loop.add_signal_handler(number, supervisor.receive, number)
        if notifier.watchdog_every is not None:
            _watch(notifier, signs, notifier.watchdog_every, poller.settings.lease)
        try:
            return await supervisor.run()
        finally:
            signs.told = _to_nobody
            notifier.tell(STOPPING="1")


def _no_proxy() -> None:
    """Nobody has to forget the child before."""


@asynccontextmanager
async def _sidecar(given: Given, poller: OnePoller, bot_id: BotId) -> AsyncIterator[Proxy]:
    """A proxy of our own on a free port of the loopback, for this bot alone."""
    try:
        from onepoller.adapters.proxy.server import Place, Proxy
    except ImportError as error:
        raise SetupError("run: --proxy needs aiohttp: pip install 'onepoller[proxy]'") from error
    place = Place(host="127.0.0.1", port=0, api_root=given.api_root, bots=frozenset({bot_id}), lets_go=False)
    async with Proxy(poller, place) as proxy:
        yield proxy


def _watch(notifier: Notifier, signs: _Signs, every: float, lease: float) -> None:
    """Tell systemd that we live, as long as the session's own thread beats too."""
    if time.monotonic() - signs.last_beat < lease + every:
        notifier.tell(WATCHDOG="1")
    asyncio.get_running_loop().call_later(every, _watch, notifier, signs, every, lease)


class _Signs:
    """What the instance tells that systemd is to hear. Called in its thread."""

    def __init__(self) -> None:
        self.last_beat = time.monotonic()
        self.told: Callable[[str], object] = _to_nobody

    def __call__(self, event: events.Event, /) -> None:
        """Note a sign of life, or tell a change."""
        if isinstance(event, events.BeatEnded):
            self.last_beat = time.monotonic()
        elif isinstance(event, events.RoleChanged) and event.role is Role.STANDBY:
            who = event.holder.who if event.holder else "another instance"
            self.told(f"bot {event.bot_id}: standby, {who} has it")


def _to_nobody(_: str) -> None:
    """Before the loop runs, and after."""


def _bot_id(given: Given, environment: Mapping[str, str]) -> BotId:
    if given.bot is not None:
        return BotId(given.bot)
    token = environment.get(given.token_env)
    if not token:
        raise SettingsError(
            f"run: which bot? {given.token_env} is not set; name the variable with --token-env, or use --bot"
        )
    try:
        return bot_id_of(token)
    except ValueError as error:
        raise SettingsError(f"run: {given.token_env} holds {error}") from None
