"""`OnePoller`: this process's instance, store, listeners, metrics and logging, put together.

From arguments or `ONEPOLLER_*` variables; arguments win. `default()` returns the one of this process, made at
the first call, and again after a fork: that is the only state kept in a module. Making one checks what can be
checked and opens nothing: a pre-forking server may import and build first.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import os
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from onepoller.coordination import driving, ending, killing
from onepoller.coordination.errors import SettingsError
from onepoller.coordination.events import Event, Listener
from onepoller.coordination.guard import Guard
from onepoller.coordination.identity import BotId, Identity, own_identity
from onepoller.coordination.instance import Instance
from onepoller.coordination.plain import PlainSyncWire, PlainWire, reply_of
from onepoller.coordination.runner import ThreadRunner
from onepoller.coordination.settings import Settings, parsed_flag
from onepoller.coordination.stores.choice import Chosen, choose
from onepoller.coordination.stores.seam import Store
from onepoller.coordination.stores.timed import TimedStore
from onepoller.coordination.wire import Request
from onepoller.metrics import Ledger, LogLines, MetricsServer, configure_logging, install_redaction
from onepoller.metrics.http import parse_address
from onepoller.sigterm import release_on_sigterm

_log = logging.getLogger("onepoller")
STOP_LIMIT = 5.0
"""How long `close` waits for the release of everything, seconds."""
_FROM_ENVIRONMENT = {
    "label": "ONEPOLLER_LABEL",
    "priority": "ONEPOLLER_PRIORITY",
    "lease": "ONEPOLLER_LEASE",
    "start": "ONEPOLLER_START",
    "kill_after": "ONEPOLLER_KILL_AFTER",
    "on_rival": "ONEPOLLER_ON_RIVAL",
    "on_webhook": "ONEPOLLER_ON_WEBHOOK",
    "on_store_loss": "ONEPOLLER_ON_STORE_LOSS",
    "stall_limit": "ONEPOLLER_STALL_LIMIT",
    "handler_limit": "ONEPOLLER_HANDLER_LIMIT",
    "drain_timeout": "ONEPOLLER_DRAIN_TIMEOUT",
    "replace_after": "ONEPOLLER_REPLACE_AFTER",
}


class OnePoller:
    """One per process; guards any number of bots.

    Args:
        store: `file:///DIRECTORY`, a server's URL (`redis://HOST`), or a store object; default: the
            directory (`ONEPOLLER_STORE`).
        state_dir: the directory of the file store, and of the lock files that tell of a death on this host
            where the store is a server (`ONEPOLLER_STATE_DIR`).
        metrics: `HOST:PORT` for /metrics, /healthz, /readyz, /status; off by default (`ONEPOLLER_METRICS`).
        log_format: `text` or `json`: log to stderr by ourselves; default: your logging
            (`ONEPOLLER_LOG_FORMAT`).
        redact: keep bot tokens out of every log line and traceback of this process.
        listeners: called with every event.
        handle_sigterm: on SIGTERM release everything, then do what was done before; for programs that end by
            the signal, on an engine (`ONEPOLLER_HANDLE_SIGTERM`).
        **settings: see `Settings`: label, priority, lease, start, kill_after, standby, on_rival, ...

    Raises SettingsError and StoreUnfit, each one sentence that says what to change.
    """

    def __init__(
        self,
        *,
        store: str | Store | None = None,
        state_dir: str | Path | None = None,
        metrics: str | None = None,
        log_format: str | None = None,
        redact: bool = True,
        listeners: Iterable[Listener] = (),
        handle_sigterm: bool | None = None,
        environment: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        env = os.environ if environment is None else environment
        self.settings = Settings.parse(_settings(settings, env))
        named = state_dir or env.get("ONEPOLLER_STATE_DIR") or None
        self._chosen: Chosen = choose(
            store or env.get("ONEPOLLER_STORE") or None, state_dir=named, lease=self.settings.lease
        )
        self.settings = replace(self.settings, lease=self._chosen.lease)
        self._address = metrics or env.get("ONEPOLLER_METRICS") or None
        if self._address is not None:
            try:
                parse_address(self._address)
            except ValueError as error:
                raise SettingsError(f"metrics: {error}") from None
        self._log_format = log_format or env.get("ONEPOLLER_LOG_FORMAT") or None
        configure_logging(self._log_format)
        self._redact = redact
        self._listeners = list(listeners)
        self._described: dict[str, Callable[[], Any]] = {}
        self._lock = threading.Lock()
        self._prepared = False
        self._build()
        if handle_sigterm is None:
            flag = env.get("ONEPOLLER_HANDLE_SIGTERM") or "no"
            handle_sigterm = parsed_flag("ONEPOLLER_HANDLE_SIGTERM", flag)
        if handle_sigterm:
            release_on_sigterm(self.close)

    def _build(self) -> None:
        """Everything that belongs to one process id; made anew in a forked child."""
        self._pid = os.getpid()
        self.identity: Identity = own_identity(label=self.settings.label, priority=self.settings.priority)
        self.ledger = Ledger()
        self._own_listeners: list[Listener] = [self.ledger, LogLines(self.identity), *self._listeners]
        self._instance = Instance(
            store=TimedStore(self._chosen.make(), self.emit),
            store_name=self._chosen.name,
            note=self._chosen.note,
            identity=self.identity,
            settings=self.settings,
            emit=self.emit,
            end_process=ending.end_process,
            kill=killing.kill,
        )
        self._runner = ThreadRunner(self._main)
        self._instance.run_on(self._runner)
        self._server = (
            MetricsServer(
                self.ledger,
                address=self._address,
                status=self.status,
                is_alive=lambda: self._runner.is_alive,
            )
            if self._address
            else None
        )

    async def _main(self) -> None:
        if self._server is not None:
            self._server.start()
        await self._instance.run()

    @property
    def instance(self) -> Instance:
        """This process's instance; in a forked child a new one of its own."""
        if self._pid != os.getpid():
            self._renew()
        return self._instance

    def _renew(self) -> None:
        """Begin again, in a forked child."""
        self._lock = threading.Lock()
        self._prepared = False
        self._build()

    def guard(self, bot_id: BotId) -> Guard:
        """The guard of a bot in this process. Opens nothing by itself; adapters call this for each call."""
        if self._pid != os.getpid():
            self._renew()
        if not self._prepared:
            self.prepare()
        return self._instance.guard(bot_id)

    def prepare(self) -> None:
        """Redact from now on; adapters call it before a framework logs a token. Opens nothing."""
        with self._lock:
            if self._prepared:
                return
            self._prepared = True
            if self._redact:
                install_redaction()
            atexit.register(self.close)

    def start(self) -> None:
        """Open now what else the first call opens (thread, session, metrics port): for servers."""
        self.instance  # noqa: B018  # made anew in a forked child
        self.prepare()
        self._runner.post(lambda: None)

    def retire(self, bot_id: BotId) -> None:
        """This bot is stopped in this process: release its claim and forget it."""
        guard = self.instance.guards.get(bot_id)
        if guard is not None:
            self.instance.retire(guard)

    def listen(self, listener: Listener) -> None:
        """Call this listener with every event from now on."""
        self._listeners.append(listener)
        self._own_listeners.append(listener)

    def emit(self, event: Event) -> None:
        """Tell every listener; adapters do, for what only they see."""
        for listener in self._own_listeners:
            try:
                listener(event)
            except Exception:  # noqa: BLE001  # as the comment says
                # A listener is the user's code: it never disturbs the coordination.
                self._own_listeners.remove(listener)
                _log.exception("a listener failed and is not called any more")

    async def get_updates(
        self,
        bot_id: int,
        call: Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]],
        *,
        timeout: float,
        offset: int = 0,
        limit: int | None = None,
        allowed_updates: Sequence[str] | None = None,
        api_root: str = "",
    ) -> dict[str, Any]:
        """One guarded getUpdates for any HTTP client.

        `call(method, parameters)` performs one Bot API method and returns the decoded reply, errors too.
        Returns the reply of getUpdates; `{"ok": True, "result": []}` in standby, after at most `timeout`
        seconds. Raises what `call` raises.
        """
        wire = PlainWire(call, api_root=api_root)
        request = Request(offset=offset, limit=limit, timeout=timeout, allowed_updates=allowed_updates)
        return reply_of(await driving.get_updates(self.guard(BotId(bot_id)), request, wire))

    def get_updates_sync(
        self,
        bot_id: int,
        call: Callable[[str, dict[str, Any]], dict[str, Any]],
        *,
        timeout: float,
        offset: int = 0,
        limit: int | None = None,
        allowed_updates: Sequence[str] | None = None,
        api_root: str = "",
    ) -> dict[str, Any]:
        """`get_updates` for callers without an event loop."""
        wire = PlainSyncWire(call, api_root=api_root)
        request = Request(offset=offset, limit=limit, timeout=timeout, allowed_updates=allowed_updates)
        return reply_of(driving.get_updates_sync(self.guard(BotId(bot_id)), request, wire))

    def hand_over(self, bot_id: int | None = None) -> None:
        """Hand this bot (or all) to whoever waits; nothing happens where nobody does."""
        self.instance.hand_over(None if bot_id is None else {BotId(bot_id)})

    def describe(self, name: str, look: Callable[[], Any]) -> None:
        """Have `status` show under this name what `look` returns: for adapters that do more than wrap."""
        self._described[name] = look

    def status(self) -> dict[str, Any]:
        """What this process knows of its bots, as plain data for JSON."""
        instance = self.instance
        described = {name: look() for name, look in self._described.items()}
        return {
            "host": self.identity.host,
            "pid": self.identity.pid,
            "label": self.identity.label,
            "started_at": self.identity.started_at,
            "store": self._chosen.name,
            "note": self._chosen.note,
            "lease": self.settings.lease,
            "metrics": self._server.url if self._server else None,
            "bots": [
                {
                    "bot_id": guard.bot_id,
                    "role": guard.state.role.label,
                    "term": guard.grant.term if guard.grant else None,
                    "claim": str(guard.certainty) if guard.certainty else None,
                    "last_poll": guard.last_poll or None,
                    "conflicts": guard.conflicts,
                    "episode": str(guard.state.episode.kind) if guard.state.episode else None,
                    "stalled": guard.presence.is_stalled,
                }
                for guard in sorted(instance.guards.values(), key=lambda g: g.bot_id)
            ],
        } | described

    def close(self) -> None:
        """Release everything, end the session and the thread. Idempotent; also called at exit."""
        if self._pid != os.getpid():
            return
        with contextlib.suppress(RuntimeError):  # no loop runs here
            self._instance.closing_from(asyncio.get_running_loop())
        self._runner.stop(STOP_LIMIT)
        if self._server is not None:
            self._server.close()
        atexit.unregister(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<OnePoller {self.identity.who} store {self._chosen.name}>"


def _settings(given: dict[str, Any], env: Mapping[str, str]) -> dict[str, Any]:
    unknown = sorted(set(given) - set(Settings.__dataclass_fields__))
    if unknown:
        raise SettingsError(f"there is no setting {unknown[0]!r}; see onepoller.Settings")
    merged: dict[str, Any] = {n: env[v] for n, v in _FROM_ENVIRONMENT.items() if env.get(v)}
    if parsed_flag("ONEPOLLER_NO_STANDBY", env.get("ONEPOLLER_NO_STANDBY") or "no"):
        merged["standby"] = False
    return merged | {n: v for n, v in given.items() if v is not None}


_default: OnePoller | None = None
_default_lock = threading.Lock()


def default() -> OnePoller:
    """The OnePoller of this process, made from the environment at the first call, and again after a fork."""
    global _default  # noqa: PLW0603  # the one thing that a process has one of
    with _default_lock:
        if _default is None:
            _default = OnePoller()
        return _default


def _forget_default() -> None:
    global _default, _default_lock  # noqa: PLW0603  # as above; the lock may be held by the parent
    _default = None
    _default_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_default)
