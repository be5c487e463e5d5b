"""A plain loop over httpx that knows nothing of onepoller, behind a proxy of its own in this process."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack

from onepoller import OnePoller
from onepoller.adapters.proxy.server import Place, Proxy
from onepoller.coordination.identity import BotId
from tests.contract.driver import Notes, Running
from tests.contract.drivers.httpx_loops import Httpx

_BAD_GATEWAY = ["ValueError: Bad Gateway: onepoller cannot reach the Bot API"]


class SidecarBot:
    """A loop, and the proxy that ends with it."""

    def __init__(self, bot: Running, proxy: AsyncExitStack) -> None:
        self.notes: Notes = bot.notes
        self._bot = bot
        self._proxy = proxy

    async def stop(self) -> None:
        """End the loop, then the proxy, which on SIGTERM closes its polls and lets go of the bot."""
        await self._bot.stop()
        await self._proxy.aclose()


class Sidecar:
    """Its driver."""

    name = "proxy"
    dies_of: frozenset[str] = frozenset()
    instead: Mapping[str, list[str]] = dict.fromkeys(("close", "reset", "short"), _BAD_GATEWAY)

    def __init__(self) -> None:
        self._loop = Httpx()

    async def start(self, *, url: str, token: str, poller: OnePoller | None, drop: bool = False) -> Running:
        """Start a proxy, and the loop at its address; without onepoller the loop alone."""
        async with AsyncExitStack() as stack:
            if poller is not None:
                stack.callback(poller.retire, BotId(int(token.partition(":")[0])))
                place = Place(host="127.0.0.1", port=0, api_root=url)
                url = (await stack.enter_async_context(Proxy(poller, place))).url
            bot = await self._loop.start(url=url, token=token, poller=None, drop=drop)
            return SidecarBot(bot, stack.pop_all())
