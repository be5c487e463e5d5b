"""Six calls of one resource of the Kubernetes API: get, list, create, update, delete and watch Leases.

No client library: what it would add is what we do not need. A request that was refused for too much load
(429) was not executed and is sent again; any other that got no answer may have been executed, which its
caller finds out, since each write names the version that it expects.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import httpx

from onepoller.coordination.errors import StoreUnavailable, StoreUnfit
from onepoller.coordination.stores.engine.fork import keep_in_children
from onepoller.coordination.stores.kubernetes.access import Access
from onepoller.coordination.stores.kubernetes.body import Body, name_of, version_of
from onepoller.coordination.stores.kubernetes.failure import Conflict, Expired, Missing, refusal, silent

WRITERS = 8
"""So many claims are written side by side: what one client of an API server may well do."""
PAGE = 500
"""So many Leases a list brings at a time."""
WATCH_FOR = 300
"""Seconds after which the server ends a watch that nothing has ended, and it is begun again."""
_SPARE = 4
"""Connections beside those of the writers: a beat does not wait for them."""
_BUSY_PAUSE = 0.2
_KEPT = 30.0
"""Seconds that a connection is kept unused."""


class Client:
    """The Leases of one namespace. Opens nothing before its first call; belongs to one event loop."""

    def __init__(self, access: Access, *, shown: str, limit: float) -> None:
        self._access = access
        self._shown = shown
        self._limit = limit
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{access.namespace}/leases"
        self._http: httpx.AsyncHTTPTransport | None = None
        keep_in_children(self)

    async def close(self) -> None:
        """Close its connections; the next call opens new ones."""
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()

    async def get(self, name: str) -> Body | None:
        """A Lease; None if there is none."""
        try:
            found: Body = await self._call("get", "GET", f"{self._path}/{name}")
            return found
        except Missing:
            return None

    async def list_all(self, selector: str, *, most: int | None = None) -> tuple[list[Body], str]:
        """All Leases of a selector (or the first `most`), and the version at which a watch goes on."""
        while True:
            with suppress(Expired):  # the pages took too long
                return await self._pages(selector, most)

    async def _pages(self, selector: str, most: int | None) -> tuple[list[Body], str]:
        found: list[Body] = []
        query = {"labelSelector": selector, "limit": str(most or PAGE)}
        while True:
            page = await self._call("list", "GET", self._path, query=query)
            found += page.get("items") or []
            going_on = page["metadata"].get("continue")
            if most is not None or not going_on:
                return found, version_of(page)
            query["continue"] = going_on

    async def create(self, lease: Body) -> Body:
        """A Lease as it was made. Raises Conflict where there is one of that name."""
        made: Body = await self._call("create", "POST", self._path, content=lease)
        return made

    async def update(self, lease: Body, *, limit: float | None = None) -> Body:
        """A Lease as it was written over. Raises Conflict where it is not the one that was read, Missing."""
        path = f"{self._path}/{name_of(lease)}"
        written: Body = await self._call("update", "PUT", path, content=lease, limit=limit)
        return written

    async def delete(self, lease: Body) -> None:
        """Delete exactly this version of a Lease. Raises Conflict, Missing."""
        exactly = {key: lease["metadata"][key] for key in ("uid", "resourceVersion")}
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": exactly}
        await self._call("delete", "DELETE", f"{self._path}/{name_of(lease)}", content=options)

    async def watch(
        self, selector: str, version: str, *, quiet: float
    ) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """What happened after this version: kinds and Leases, until the server ends it.

        `quiet`: seconds without a word after which the connection is taken for broken. Raises Expired where
        the version is too old, StoreUnavailable.
        """
        query = {
            "labelSelector": selector,
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_FOR),
        }
        request = self._request("GET", self._path, query, None, httpx.Timeout(self._limit, read=quiet))
        try:
            async with self._open(connections=1) as http:
                answer = await http.handle_async_request(request)
                try:
                    if answer.status_code != 200:
                        self._judge(answer.status_code, await answer.aread(), "watch")
                    async for line in answer.aiter_lines():
                        event = json.loads(line)
                        if event["type"] == "ERROR":
                            raise self._refused(event["object"], "watch")
                        yield event["type"], event["object"]
                finally:
                    await answer.aclose()
        except (httpx.TransportError, ValueError) as error:  # ValueError: half a line
            raise silent(self._shown) from error

    async def _call(
        self,
        verb: str,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        content: Any = None,
        limit: float | None = None,
    ) -> Any:
        limit = limit or self._limit
        clock = asyncio.get_running_loop().time
        deadline = clock() + limit
        was_sent = False
        while True:
            try:
                answer, was_sent_twice = await self._send(method, path, query, content, limit)
            except httpx.TransportError as error:
                raise silent(self._shown) from error
            was_sent = was_sent or was_sent_twice
            if answer.status_code == 409:
                raise Conflict(may_be_ours=was_sent)
            if answer.status_code != 429:
                return self._judge(answer.status_code, answer.content, verb)
            pause = _pause_of(answer)
            if clock() + pause >= deadline:
                raise StoreUnavailable(f"{self._shown} is too busy (429); it is tried again.")
            await asyncio.sleep(pause)

    async def _send(
        self, method: str, path: str, query: dict[str, str] | None, content: Any, limit: float
    ) -> tuple[httpx.Response, bool]:
        """One request; once more, and true, where the connection that was kept broke."""
        for is_last in (False, True):
            if self._http is None:
                self._http = self._open(connections=WRITERS + _SPARE)
            http = self._http
            try:
                answer = await http.handle_async_request(
                    self._request(method, path, query, content, httpx.Timeout(limit))
                )
                try:
                    await answer.aread()
                finally:
                    await answer.aclose()
                return answer, is_last
            except httpx.PoolTimeout:
                # A call that is cancelled while it connects may take its place in the pool along.
                if self._http is http:
                    await self.close()
                raise
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                if is_last:
                    raise
        raise AssertionError("unreachable")

    def _request(
        self, method: str, path: str, query: dict[str, str] | None, content: Any, limits: httpx.Timeout
    ) -> httpx.Request:
        return httpx.Request(
            method,
            self._access.server + path,
            params=query,
            json=content,
            headers=self._access.token.headers(),
            extensions={"timeout": limits.as_dict()},
        )

    def _open(self, *, connections: int) -> httpx.AsyncHTTPTransport:
        """Not httpx.AsyncClient: that would log a line for each heartbeat."""
        return httpx.AsyncHTTPTransport(
            verify=self._access.tls or False,  # False: a server without TLS, for which none is made
            trust_env=False,
            limits=httpx.Limits(
                max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=_KEPT
            ),
        )

    def _judge(self, status: int, text: bytes, verb: str) -> Any:
        try:
            content = json.loads(text)
        except ValueError:
            content = {}
        if 200 <= status < 300:
            if not isinstance(content, dict) or "kind" not in content:
                raise StoreUnfit(
                    f"{self._shown}: what answers there is no Kubernetes API server: check the kubeconfig."
                )
            return content
        raise self._refused({"code": status, "reason": content.get("reason", "")}, verb)

    def _refused(self, status: dict[str, Any], verb: str) -> Exception:
        return refusal(
            int(status.get("code") or 500),
            verb=verb,
            namespace=self._access.namespace,
            reason=str(status.get("reason", ""))[:40],
            shown=self._shown,
        )


def _pause_of(answer: httpx.Response) -> float:
    try:
        return max(_BUSY_PAUSE, float(answer.headers.get("Retry-After", "")))
    except ValueError:
        return _BUSY_PAUSE
