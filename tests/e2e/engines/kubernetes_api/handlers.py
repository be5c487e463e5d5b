"""The requests of the fake API server, one method for each verb."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from typing import Any

from aiohttp import web

from tests.e2e.engines.kubernetes_api import rules
from tests.e2e.engines.kubernetes_api.state import State
from tests.e2e.engines.kubernetes_api.statuses import (
    Refused,
    bad_request,
    forbidden,
    no_namespace,
    no_such_path,
)
from tests.e2e.engines.kubernetes_api.storage import Happened, Storage

BASE = "/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
BOOKMARK_EVERY = 0.5
"""Seconds; the real one sends about one a minute."""


class Handlers:
    """Answers requests from the storage."""

    def __init__(self, state: State, storage: Storage) -> None:
        self._state = state
        self._storage = storage
        self._watches: set[asyncio.Task[None]] = set()

    def application(self) -> web.Application:
        """All paths."""
        app = web.Application(client_max_size=3 * 1024 * 1024)
        app.router.add_route("*", BASE, self._many)
        app.router.add_route("*", BASE + "/{name}", self._one)
        app.router.add_route("*", "/{path:.*}", self._nothing)
        return app

    async def close_watches(self) -> None:
        """End every watch that stands."""
        for watch in list(self._watches):
            watch.cancel()

    async def _nothing(self, request: web.Request) -> web.StreamResponse:
        del request
        return _refusal(no_such_path())

    async def _many(self, request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            return await self._answered(request, "create", self._create)
        if request.method == "GET" and request.query.get("watch") in {"true", "1"}:
            return await self._answered(request, "watch", self._watch)
        if request.method == "GET":
            return await self._answered(request, "list", self._list)
        return _refusal(Refused(405, "MethodNotAllowed", "the server does not allow this method"))

    async def _one(self, request: web.Request) -> web.StreamResponse:
        known = {
            "GET": ("get", self._get),
            "PUT": ("update", self._update),
            "DELETE": ("delete", self._delete),
        }
        if request.method not in known:
            return _refusal(Refused(405, "MethodNotAllowed", "the server does not allow this method"))
        return await self._answered(request, *known[request.method])

    async def _answered(
        self,
        request: web.Request,
        verb: str,
        answer: Callable[[web.Request], Coroutine[Any, Any, web.StreamResponse]],
    ) -> web.StreamResponse:
        self._state.requests[verb] += 1
        if self._state.latency:
            await asyncio.sleep(self._state.latency)
        await self._state.thawed.wait()
        try:
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            self._state.admit(token, verb, request.match_info["namespace"])
            fault = self._state.next_fault(verb)
            if fault is not None and fault.refusal is not None:
                return _refusal(fault.refusal(), fault.headers)
            answered = await answer(request)
        except Refused as refused:
            return _refusal(refused)
        if fault is not None and fault.loses_answer and request.transport is not None:
            request.transport.abort()
        return answered

    async def _get(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self._storage.get(_key(request)))

    async def _create(self, request: web.Request) -> web.StreamResponse:
        namespace = request.match_info["namespace"]
        lease = await self._sent(request)
        if namespace not in self._state.namespaces:
            raise no_namespace(namespace)
        return web.json_response(self._storage.create(namespace, lease), status=201)

    async def _update(self, request: web.Request) -> web.StreamResponse:
        key = _key(request)
        lease = await self._sent(request)
        if lease["metadata"].get("name") != key[1]:
            raise bad_request(
                f"the name of the object ({lease['metadata'].get('name')}) does not match the name on the URL"
            )
        is_new = key not in self._storage.leases
        if is_new and "create" not in self._state.granted:
            raise forbidden("", "create", key[0])
        return web.json_response(self._storage.update(key, lease), status=201 if is_new else 200)

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        options = await request.json() if request.can_read_body else {}
        preconditions = options.get("preconditions") or {}
        key = _key(request)
        self._storage.delete(key, preconditions)
        return web.json_response({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})

    async def _list(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        selector = rules.Selector(query.get("labelSelector", ""))
        page, version, token = self._storage.page(
            request.match_info["namespace"],
            selector,
            limit=int(query.get("limit", "0")),
            token=query.get("continue", ""),
        )
        metadata: dict[str, Any] = {"resourceVersion": str(version)}
        if token:
            metadata["continue"] = token
        items = [{key: one[key] for key in ("metadata", "spec")} for one in page]
        return web.json_response(
            {
                "kind": "LeaseList",
                "apiVersion": "coordination.k8s.io/v1",
                "metadata": metadata,
                "items": items,
            }
        )

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        work = asyncio.create_task(self._feed(request, response))
        self._watches.add(work)
        try:
            await asyncio.wait([work])
        finally:
            work.cancel()
            self._watches.discard(work)
        if not work.cancelled():
            work.exception()
        return response

    async def _feed(self, request: web.Request, response: web.StreamResponse) -> None:
        query = request.query
        selector = rules.Selector(query.get("labelSelector", ""))
        namespace, seen = request.match_info["namespace"], int(query.get("resourceVersion") or 0)
        until = time.monotonic() + float(query.get("timeoutSeconds", "1800"))
        while time.monotonic() < until:
            changed = self._storage.changed
            try:
                news = self._storage.since(seen)
            except Refused as refused:
                await _write(response, "ERROR", refused.status)
                return
            seen = self._storage.version
            for one in news:
                if one.namespace == namespace:
                    await _tell(response, one, selector)
            try:
                async with asyncio.timeout(min(BOOKMARK_EVERY, max(0.0, until - time.monotonic()))):
                    await changed.wait()
            except TimeoutError:
                if query.get("allowWatchBookmarks") == "true":
                    await _write(response, "BOOKMARK", _bookmark(seen))

    async def _sent(self, request: web.Request) -> dict[str, Any]:
        if request.content_type != "application/json":
            raise Refused(415, "UnsupportedMediaType", "the body of the request was in an unknown format")
        try:
            sent = await request.json()
        except ValueError:
            raise bad_request("the object provided is unrecognized: json parse error") from None
        lease, unknown = rules.decoded(sent)
        self._state.warnings += unknown
        namespace = request.match_info["namespace"]
        if lease["metadata"].get("namespace", namespace) != namespace:
            raise bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        return lease


async def _tell(response: web.StreamResponse, change: Happened, selector: rules.Selector) -> None:
    """As seen through a selector: what begins to fit was added, what no longer fits was deleted."""
    was = change.before is not None and selector.fits(change.before)
    fits = change.after is not None and selector.fits(change.after)
    if fits:
        await _write(response, "MODIFIED" if was else "ADDED", change.after)
    elif was and change.before is not None:
        # Deleted: as it was, with the version of its deletion.
        metadata = change.before["metadata"] | {"resourceVersion": str(change.version)}
        await _write(response, "DELETED", change.before | {"metadata": metadata})


async def _write(response: web.StreamResponse, kind: str, body: Any) -> None:
    await response.write(json.dumps({"type": kind, "object": body}).encode() + b"\n")


def _bookmark(version: int) -> dict[str, Any]:
    return {
        "kind": "Lease",
        "apiVersion": "coordination.k8s.io/v1",
        "metadata": {"resourceVersion": str(version), "creationTimestamp": None},
        "spec": {},
    }


def _refusal(refused: Refused, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response(refused.status, status=refused.code, headers=headers)


def _key(request: web.Request) -> tuple[str, str]:
    return request.match_info["namespace"], request.match_info["name"]
