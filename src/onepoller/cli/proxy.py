"""`onepoller proxy`: the sidecar, from the command line to its end by SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from onepoller.adapters.proxy import files_limit
from onepoller.coordination.errors import SettingsError, SetupError
from onepoller.metrics.http import parse_address
from onepoller.process import OnePoller

try:
    from onepoller.adapters.proxy.server import Place, Proxy
except ImportError as error:
    raise SetupError("the proxy needs aiohttp: pip install 'onepoller[proxy]'") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the command line says."""

    listen: str
    api_root: str
    store: str | None
    state_dir: Path | None
    metrics: str | None
    bots: Sequence[int]


def run(given: Given, environment: Mapping[str, str]) -> None:
    """Serve until a signal. Raises SetupError for what has to be changed first."""
    try:
        host, port = parse_address(given.listen)
    except SettingsError:
        raise SettingsError(f"--listen must look like 127.0.0.1:8081, not {given.listen!r}") from None
    place = Place(
        host=host,
        port=port,
        api_root=given.api_root,
        bots=frozenset(given.bots),
        most=files_limit.clients_that_fit(files_limit.raised()),
    )
    poller = OnePoller(
        store=given.store,
        state_dir=given.state_dir,
        metrics=given.metrics,
        label=None if environment.get("ONEPOLLER_LABEL") else f"proxy {given.listen}",
        log_format=environment.get("ONEPOLLER_LOG_FORMAT") or "text",
        environment=environment,
    )
    with poller:
        asyncio.run(_serve(poller, place))


async def _serve(poller: OnePoller, place: Place) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with Proxy(poller, place) as proxy:
        whom = f"bots {', '.join(map(str, sorted(place.bots)))}" if place.bots else "all bots"
        print(
            f"onepoller proxy on {proxy.url} for {place.api_root}, {whom}, room for {place.most} clients",
            flush=True,
        )
        await stopped.wait()
        # The claims do not wait for what is being streamed here: another proxy polls at once.
        await proxy.end_polls()
        await loop.run_in_executor(None, poller.close)
