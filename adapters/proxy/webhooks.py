"""setWebhook and deleteWebhook of the clients, as the guard rules (design: `coordination.bootstrap`).

A proxy cannot tell what a framework sends by itself when it starts from what its user asked for, so each
deleteWebhook counts as the former: a webhook that was set here goes, somebody else's only by `on_webhook`,
and nothing is dropped while another client or instance polls the bot.
"""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from onepoller import process
from onepoller.adapters.proxy.answers import bad_gateway, content
from onepoller.adapters.proxy.line import Line
from onepoller.adapters.proxy.route import Route
from onepoller.adapters.proxy.upstream import Trouble, Upstream
from onepoller.coordination import bootstrap
from onepoller.coordination.arguments import is_true
from onepoller.coordination.bootstrap import WebhookCall
from onepoller.coordination.reply import result_of
from onepoller.coordination.target import GET_WEBHOOK_INFO, SET_WEBHOOK


class Webhooks:
    """The webhook calls of all clients."""

    def __init__(self, poller: process.OnePoller, upstream: Upstream, line: Line) -> None:
        self._poller = poller
        self._upstream = upstream
        self._line = line
        self._webhooks = bootstrap.Webhooks()

    async def serve(
        self, request: web.BaseRequest, route: Route, arguments: Mapping[str, str], body: bytes
    ) -> web.StreamResponse:
        """Answer one call, or send it on."""
        call = WebhookCall(
            bot_id=route.bot_id,
            sets=arguments.get("url", "") if route.method == SET_WEBHOOK else "",
            drops=is_true(arguments.get("drop_pending_updates", "")),
            is_start=True,
            holds_claim=False,
            deletions=self._poller.guard(route.bot_id).deletions,
        )
        if self._webhooks.is_sent(call):
            return await self._upstream.pass_on(request, route, body)
        try:
            info = await self._upstream.fetch(route.path_of(GET_WEBHOOK_INFO), {}, request.headers)
        except Trouble:
            return bad_gateway()
        if info.status // 100 != 2:
            return content(info.status, info.content, info.headers)
        ruling = self._webhooks.rule(
            call,
            url=str(result_of(info.status, info.content).get("url", "")),
            has_peer=call.drops and await self._has_peer(route),
            policy=self._poller.settings.on_webhook,
        )
        for event in ruling.events:
            self._poller.emit(event)
        if ruling.answer is not None:
            return content(*ruling.answer)
        if ruling.is_undropped:
            route = route.first("drop_pending_updates=false")
        return await self._upstream.pass_on(request, route, body)

    async def _has_peer(self, route: Route) -> bool:
        if self._line.has_client(route.bot_id):
            return True
        return await bootstrap.peer_lives(self._poller.instance.has_peer(route.bot_id))
