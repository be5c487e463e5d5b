"""etcd's JSON gateway over HTTP: calls with a time limit, the next member after trouble, logging in.

A call that a member has received is not made again: it may have been carried out. One that could not be sent
goes to the next member at once.

A server that lost data says so by its revision, which else never goes back, or by the id of its cluster.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from onepoller.coordination.errors import StoreUnavailable, StoreUnfit
from onepoller.coordination.stores.engine.fork import keep_in_children
from onepoller.coordination.stores.etcd.endpoints import Endpoints
from onepoller.coordination.stores.etcd.refusal import LoginOld, refusal, unreachable

LIMIT = 5.0
"""Seconds for what is not a beat."""
_CONNECTIONS = 16
_IDLE = 30.0
"""A connection that nobody uses is closed after so many seconds."""
_TROUBLE = (httpx.HTTPError, OSError)
"""What TLS says after its handshake comes as an OSError."""


class Gateway:
    """The calls of one process to a cluster. Nothing is opened before the first."""

    def __init__(self, endpoints: Endpoints, *, prefix: str) -> None:
        self.cluster = ""
        self.losses = 0
        """How often the server was seen to have lost data."""
        self._endpoints = endpoints
        self._prefix = prefix
        self._at = 0
        """Which member is asked."""
        self._transport: httpx.AsyncHTTPTransport | None = None
        self._token = ""
        self._was_answered = False
        self._revision = 0
        self._date = ""
        self._clock_ahead = 0.0
        self._urls: dict[str, httpx.URL] = {}
        """Parsed: that takes as long as the rest of a request's making."""

    @property
    def shown(self) -> str:
        """For people."""
        return self._endpoints.shown

    @property
    def now(self) -> float:
        """Wall clock of the server, up to a second late: it tells whole seconds."""
        return time.monotonic() + self._clock_ahead

    async def close(self) -> None:
        """Close all connections. The next call opens new ones."""
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.aclose()

    async def call(self, path: str, body: Mapping[str, Any], *, limit: float = LIMIT) -> dict[str, Any]:
        """One answer. Raises StoreUnavailable, StoreUnfit or LeaseGone."""
        content = json.dumps(body, separators=(",", ":")).encode()
        known = self.losses, self._revision
        try:
            await self._log_in(limit)
            answer = await self._post(path, content, limit)
        except LoginOld:
            await self._log_in(limit, again=True)
            answer = await self._post(path, content, limit)
        if path.startswith("kv/"):  # others are answered by a member alone, which may be behind
            self._check(answer["header"], *known)
        return answer

    @asynccontextmanager
    async def stream(
        self, path: str, bodies: list[Mapping[str, Any]], *, limit: float
    ) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """Answers for as long as they come. The end of the stream is the end of the iterator."""
        content = b"".join(json.dumps(body).encode() for body in bodies)
        await self._log_in(limit)
        try:
            response = await self._send(path, content, httpx.Timeout(limit, read=None))
            try:
                if response.status_code != 200:
                    raise self._refused(response.status_code, await response.aread())
                yield self._results(response)
            finally:
                await response.aclose()
        except _TROUBLE as error:
            raise self._trouble(error) from None
        except LoginOld as old:
            self._token = ""
            raise old from None

    async def _results(self, response: httpx.Response) -> AsyncIterator[dict[str, Any]]:
        async for line in response.aiter_lines():
            yield self._answer(line.encode())["result"]

    # One request

    async def _log_in(self, limit: float, *, again: bool = False) -> None:
        if self._endpoints.user and (again or not self._token):
            self._token = ""
            login = {"name": self._endpoints.user, "password": self._endpoints.password}
            answer = await self._post("auth/authenticate", json.dumps(login).encode(), limit)
            self._token = answer["token"]

    async def _post(self, path: str, content: bytes, limit: float) -> dict[str, Any]:
        timeout = httpx.Timeout(limit, connect=limit / len(self._endpoints.urls))
        for left in reversed(range(len(self._endpoints.urls))):
            try:
                response = await self._send(path, content, timeout)
                await response.aread()
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                trouble = self._trouble(error)
                if not left:
                    raise trouble from None
            except _TROUBLE as error:
                raise self._trouble(error) from None
            else:
                break
        self._was_answered = True
        if response.status_code != 200:
            raise self._refused(response.status_code, response.content)
        date = response.headers.get("date")
        if date is not None and date != self._date:
            self._date = date
            self._clock_ahead = parsedate_to_datetime(date).timestamp() - time.monotonic()
        return self._answer(response.content)

    async def _send(self, path: str, content: bytes, timeout: httpx.Timeout) -> httpx.Response:
        """Past httpx's client, which would write a line into the program's log for each heartbeat."""
        if self._transport is None:
            self._transport = httpx.AsyncHTTPTransport(
                verify=self._endpoints.tls or False,
                trust_env=False,  # a proxy for the web is none for a store
                limits=httpx.Limits(max_connections=_CONNECTIONS, keepalive_expiry=_IDLE),
            )
            keep_in_children(self._transport)
        url = f"{self._endpoints.urls[self._at]}/v3/{path}"
        parsed = self._urls.get(url)
        if parsed is None:
            parsed = self._urls[url] = httpx.URL(url)
        request = httpx.Request(
            "POST",
            parsed,
            content=content,
            headers={"Authorization": self._token} if self._token else None,
            extensions={"timeout": timeout.as_dict()},
        )
        return await self._transport.handle_async_request(request)

    def _answer(self, content: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(content)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise StoreUnfit(f"{self.shown} does not answer as etcd does.")
        if "error" in answer:  # a stream that had begun well
            raise self._refused(200, content)
        return answer

    # What went wrong

    def _refused(self, status: int, content: bytes) -> Exception:
        error = refusal(status, content, shown=self.shown, prefix=self._prefix)
        if isinstance(error, StoreUnavailable):
            self._next()
        return error

    def _trouble(self, error: Exception) -> Exception:
        self._next()
        if isinstance(error, httpx.PoolTimeout):
            self._transport = None  # a slot that a cancelled call has taken along does not come back
        is_timeout = isinstance(error, httpx.TimeoutException)
        return unreachable(
            TimeoutError() if is_timeout else error, shown=self.shown, is_new=not self._was_answered
        )

    def _next(self) -> None:
        self._at = (self._at + 1) % len(self._endpoints.urls)

    def _check(self, header: Mapping[str, str], losses: int, known: int) -> None:
        """How many losses, and which highest revision, were known when the call was sent.

        What went beside it proves nothing, and one loss that several calls meet is one.
        """
        if losses != self.losses:
            return
        revision, cluster = int(header["revision"]), header["cluster_id"]
        if self.cluster and (revision < known or cluster != self.cluster):
            self.losses += 1
            self._revision = revision
        self._revision = max(self._revision, revision)
        self.cluster = cluster
