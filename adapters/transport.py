"""Any polling loop over httpx: give the client a guarded transport, and its getUpdates waits for its turn.

    client = httpx.AsyncClient(transport=AsyncGuardedTransport())

Everything that is neither getUpdates nor a start-up call goes through untouched and streaming. Options that
httpx gives to the transport it makes itself (`verify`, `limits`, `proxy`, `http2`) belong to the `inner` one
that you make then. The synchronous transport cannot end a poll that is open: a handover waits for it. The
asynchronous one needs asyncio.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any
from urllib.parse import urlencode

import httpx

from onepoller import process
from onepoller.coordination import bootstrap, driving, target
from onepoller.coordination.arguments import arguments_of, changed_arguments, request_of
from onepoller.coordination.bootstrap import WebhookCall
from onepoller.coordination.guard import Guard
from onepoller.coordination.identity import BotId
from onepoller.coordination.reply import EMPTY_BODY, outcome_of_content, result_of
from onepoller.coordination.target import Target, sibling, target_of
from onepoller.coordination.wire import Delivered, Manners, Nothing, Outcome, Refused, Request

_MANNERS = Manners()
_JSON = {"Content-Type": "application/json"}
_OF_A_BODY = frozenset({"content-length", "content-type", "content-encoding", "transfer-encoding"})


class AsyncGuardedTransport(httpx.AsyncBaseTransport):
    """For `httpx.AsyncClient`. `inner` sends; by default a new `httpx.AsyncHTTPTransport()`."""

    def __init__(
        self, inner: httpx.AsyncBaseTransport | None = None, poller: process.OnePoller | None = None
    ) -> None:
        self._inner = inner or httpx.AsyncHTTPTransport()
        self._seen = _Seen(poller)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request: getUpdates in its turn, start-up calls as ruled, everything else at once."""
        aim = self._seen.aim_of(request)
        if aim is None:
            return await self._inner.handle_async_request(request)
        await request.aread()
        call = self._seen.call_of(request, aim)
        if call.method == target.GET_UPDATES:
            wire = _AsyncWire(self._inner, call)
            return _response(await driving.get_updates(self._seen.guard(aim.bot_id), wire.asked, wire))
        asked = self._seen.asked_of(call)
        if asked is not None:
            return await self._change_webhook(call, asked)
        return await self._inner.handle_async_request(request)

    async def _change_webhook(self, call: _Call, asked: WebhookCall) -> httpx.Response:
        info = await _read(await self._inner.handle_async_request(call.asking(target.GET_WEBHOOK_INFO)))
        if info.status // 100 != 2:
            return info.response()
        has_peer = asked.drops and await bootstrap.peer_lives(self._seen.ask_for_peer(call))
        ruled = self._seen.ruled(call, asked, info, has_peer=has_peer)
        return await self._inner.handle_async_request(ruled) if isinstance(ruled, httpx.Request) else ruled

    async def aclose(self) -> None:
        """Release the claims of the bots that were polled here, and close the inner transport."""
        self._seen.retire()
        await self._inner.aclose()


class GuardedTransport(httpx.BaseTransport):
    """For `httpx.Client`. `inner` sends; by default a new `httpx.HTTPTransport()`."""

    def __init__(
        self, inner: httpx.BaseTransport | None = None, poller: process.OnePoller | None = None
    ) -> None:
        self._inner = inner or httpx.HTTPTransport()
        self._seen = _Seen(poller)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request: getUpdates in its turn, start-up calls as ruled, everything else at once."""
        aim = self._seen.aim_of(request)
        if aim is None:
            return self._inner.handle_request(request)
        request.read()
        call = self._seen.call_of(request, aim)
        if call.method == target.GET_UPDATES:
            wire = _SyncWire(self._inner, call)
            return _response(driving.get_updates_sync(self._seen.guard(aim.bot_id), wire.asked, wire))
        asked = self._seen.asked_of(call)
        if asked is not None:
            return self._change_webhook(call, asked)
        return self._inner.handle_request(request)

    def _change_webhook(self, call: _Call, asked: WebhookCall) -> httpx.Response:
        info = _read_sync(self._inner.handle_request(call.asking(target.GET_WEBHOOK_INFO)))
        if info.status // 100 != 2:
            return info.response()
        has_peer = asked.drops and bootstrap.peer_lives_sync(self._seen.ask_for_peer(call))
        ruled = self._seen.ruled(call, asked, info, has_peer=has_peer)
        return self._inner.handle_request(ruled) if isinstance(ruled, httpx.Request) else ruled

    def close(self) -> None:
        """Release the claims of the bots that were polled here, and close the inner transport."""
        self._seen.retire()
        self._inner.close()


class _Seen:
    """The bots and webhooks that one transport has seen."""

    def __init__(self, poller: process.OnePoller | None) -> None:
        (poller or process.default()).prepare()  # wrong settings are told here, never inside the loop
        self._poller = poller
        self._polled: set[BotId] = set()
        self._webhooks = bootstrap.Webhooks()
        self._last: tuple[str, Target | None] = ("", None)
        self._read = _Read(b"", "", b"")

    def aim_of(self, request: httpx.Request) -> Target | None:
        """Where a request leads, if it may be one of ours."""
        path = request.url.raw_path
        if b"bot" not in path and b"%" not in path:
            return None
        url = str(request.url)
        last, aim = self._last
        if url != last:
            aim = target_of(url)
            if aim is not None and aim.method and aim.method not in target.GUARDED:
                aim = None
            self._last = (url, aim)
        return aim

    def call_of(self, request: httpx.Request, aim: Target) -> _Call:
        """A request whose body is read."""
        said = (request.url.query, _content_type(request), request.content)
        if said != self._read.said:
            # An idle bot repeats itself word for word.
            self._read = _Read(*said)
        return _Call(request, aim, self._read)

    @property
    def poller(self) -> process.OnePoller:
        return self._poller or process.default()

    def guard(self, bot_id: BotId) -> Guard:
        self._polled.add(bot_id)
        return self.poller.guard(bot_id)

    def asked_of(self, call: _Call) -> WebhookCall | None:
        """The webhook call that needs a ruling, if it is one."""
        if call.method not in {target.SET_WEBHOOK, target.DELETE_WEBHOOK}:
            return None
        asked = WebhookCall.of(self.poller.guard(call.bot_id), call.method, call.arguments)
        return None if self._webhooks.is_sent(asked) else asked

    def ask_for_peer(self, call: _Call) -> Future[bool]:
        return self.poller.instance.has_peer(call.bot_id)

    def ruled(
        self, call: _Call, asked: WebhookCall, info: _Answer, *, has_peer: bool
    ) -> httpx.Request | httpx.Response:
        """What to send, or what to answer."""
        ruling = self._webhooks.rule(
            asked,
            url=str(result_of(info.status, info.content).get("url", "")),
            has_peer=has_peer,
            policy=self.poller.settings.on_webhook,
        )
        for event in ruling.events:
            self.poller.emit(event)
        if ruling.answer is not None:
            status, body = ruling.answer
            return httpx.Response(status, headers=_JSON, stream=httpx.ByteStream(body))
        return call.changed({"drop_pending_updates": "false"}) if ruling.is_undropped else call.request

    def retire(self) -> None:
        guards = self.poller.instance.guards
        for bot_id in self._polled:
            if bot_id in guards and not guards[bot_id].has_open_call:
                self.poller.retire(bot_id)
        self._polled.clear()


class _Read:
    """What a request says, and what it means."""

    __slots__ = ("arguments", "asked", "said")

    def __init__(self, query: bytes, content_type: str, body: bytes) -> None:
        self.said = (query, content_type, body)
        self.arguments = arguments_of(query.decode("ascii", "replace"), content_type, body)
        self.asked = request_of(self.arguments)


def _content_type(request: httpx.Request) -> str:
    """As the header says; to ask `headers` for it decodes them all, which costs as much as the rest."""
    for name, value in request.headers.raw:
        if name == b"Content-Type" or name.lower() == b"content-type":
            return value.decode("latin-1")
    return ""


class _Call:
    """One request to the Bot API, its body read."""

    __slots__ = ("api_root", "arguments", "asked", "bot_id", "method", "request")

    def __init__(self, request: httpx.Request, aim: Target, read: _Read) -> None:
        self.request = request
        self.bot_id = aim.bot_id
        self.api_root = aim.api_root
        self.arguments = read.arguments
        self.asked = read.asked
        self.method = aim.method or self.arguments.get("method", "").lower()

    def changed(self, arguments: Mapping[str, object]) -> httpx.Request:
        """The same request with these parameters; in the query, where the server looks first."""
        request = self.request
        query = b"&".join((urlencode(arguments).encode(), *filter(None, (request.url.query,))))
        return httpx.Request(
            request.method,
            request.url.copy_with(query=query),
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )

    def asking(self, method: str) -> httpx.Request:
        """A call of a read-only method of the same bot, without a body."""
        headers = [(k, v) for k, v in self.request.headers.multi_items() if k not in _OF_A_BODY]
        url = sibling(str(self.request.url), method)
        return httpx.Request("POST", url, headers=headers, extensions=self.request.extensions)


class _Answer:
    """A response, read to its end and closed."""

    __slots__ = ("_raw", "_response", "status")

    def __init__(self, response: httpx.Response, raw: bytes) -> None:
        self._response = response
        self._raw = raw
        self.status = response.status_code

    @property
    def content(self) -> bytes:
        if self._raw.startswith(b'{"ok":'):  # plain; looking a header up costs ten times as much
            return self._raw
        headers = self._response.headers
        if "Content-Encoding" not in headers:
            return self._raw
        return httpx.Response(self.status, headers=headers, content=self._raw).content

    def response(self) -> httpx.Response:
        """The response, not read yet as far as the client knows: it reads, times and closes it."""
        self._response.stream = httpx.ByteStream(self._raw)
        return self._response


async def _read(response: httpx.Response) -> _Answer:
    stream = response.stream
    assert isinstance(stream, httpx.AsyncByteStream)
    try:
        raw = b"".join([chunk async for chunk in stream])
    finally:
        await stream.aclose()
    return _Answer(response, raw)


def _read_sync(response: httpx.Response) -> _Answer:
    stream = response.stream
    assert isinstance(stream, httpx.SyncByteStream)
    try:
        raw = b"".join(stream)
    finally:
        stream.close()
    return _Answer(response, raw)


class _Wire:
    """What both wires of a getUpdates share."""

    manners = _MANNERS

    def __init__(self, call: _Call) -> None:
        self._call = call
        self.api_root = call.api_root
        self.asked = call.asked

    def _request(self, wanted: Request) -> httpx.Request:
        if wanted is self.asked:
            return self._call.request
        return self._call.changed(changed_arguments(self.asked, wanted))


class _AsyncWire(_Wire):
    """The wire of one getUpdates."""

    def __init__(self, inner: httpx.AsyncBaseTransport, call: _Call) -> None:
        super().__init__(call)
        self._inner = inner

    async def poll(self, request: Request) -> Delivered | Refused:
        return _outcome(await _read(await self._inner.handle_async_request(self._request(request))))

    async def ask(self, method: str) -> dict[str, Any]:
        answer = await _read(await self._inner.handle_async_request(self._call.asking(method)))
        return result_of(answer.status, answer.content)


class _SyncWire(_Wire):
    """The same without an event loop."""

    def __init__(self, inner: httpx.BaseTransport, call: _Call) -> None:
        super().__init__(call)
        self._inner = inner

    def poll(self, request: Request) -> Delivered | Refused:
        return _outcome(_read_sync(self._inner.handle_request(self._request(request))))

    def ask(self, method: str) -> dict[str, Any]:
        answer = _read_sync(self._inner.handle_request(self._call.asking(method)))
        return result_of(answer.status, answer.content)


def _outcome(answer: _Answer) -> Delivered | Refused:
    return outcome_of_content(answer.status, answer.content, answer)


def _response(outcome: Outcome) -> httpx.Response:
    if isinstance(outcome, Nothing):
        return httpx.Response(200, headers=_JSON, stream=httpx.ByteStream(EMPTY_BODY))
    answer: _Answer = outcome.reply
    return answer.response()
