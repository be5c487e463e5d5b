"""A fake API server for Leases: real HTTP in a thread, as strict as the real one, with faults on demand."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from aiohttp import web

from tests.e2e.engines.kubernetes_api import rules
from tests.e2e.engines.kubernetes_api.statuses import (
    Refused,
    bad_request,
    forbidden,
    internal,
    no_namespace,
    no_such_path,
    too_many,
    unauthorized,
)
from tests.e2e.engines.kubernetes_api.storage import Happened, Storage
from tests.e2e.engines.servers import free_port

T = TypeVar("T")
ALL = frozenset({"get", "list", "watch", "create", "update", "delete", "patch"})
BASE = "/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
BOOKMARK_EVERY = 0.5
"""Seconds; the real one sends about one a minute."""
TOKEN = "a-service-accounts-token"


@dataclass
class Fault:
    """What happens to the next requests of some verbs."""

    verbs: frozenset[str]
    left: int
    refusal: Callable[[], Refused] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    passes: int = 0
    """So many requests before them go well."""
    loses_answer: bool = False
    """The request is done, and its answer never comes: the connection breaks."""


class FakeKubernetes:
    """Start it with `start`; it is stopped with `stop`, and may start again on the same port."""

    def __init__(self, *, granted: frozenset[str] = ALL, tls: ssl.SSLContext | None = None) -> None:
        self.port = free_port()
        self.requests: Counter[str] = Counter()
        """By verb."""
        self.warnings: list[str] = []
        """Fields that were sent and dropped."""
        self.latency = 0.0
        self.namespaces = {"bots", "default"}
        self.tokens = {TOKEN: "system:serviceaccount:bots:onepoller"}
        self.granted = granted
        self._tls = tls
        """The verbs that RBAC allows."""
        self._faults: list[Fault] = []
        self._thawed = asyncio.Event()
        self._thawed.set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._storage = self._now(_made(Storage))
        self._runner: web.AppRunner | None = None
        self._watches: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Of the server."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def kubeconfig(self, namespace: str = "bots", token: str = TOKEN) -> str:
        """A kubeconfig that leads here (JSON is YAML)."""
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "fake",
                "contexts": [
                    {"name": "fake", "context": {"cluster": "fake", "user": "one", "namespace": namespace}}
                ],
                "clusters": [{"name": "fake", "cluster": {"server": self.url}}],
                "users": [{"name": "one", "user": {"token": token}}],
            }
        )

    # Its life

    def start(self) -> Self:
        """Listen."""
        self._now(self._start())
        return self

    def stop(self) -> None:
        """End it; Leases are kept for the next start."""
        self._now(self._stop())

    def close(self) -> None:
        """End it for good."""
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def freeze(self) -> None:
        """Take requests, and answer none, until `thaw`."""
        self._loop.call_soon_threadsafe(self._thawed.clear)

    def thaw(self) -> None:
        """Answer what has waited, too."""
        self._loop.call_soon_threadsafe(self._thawed.set)

    # Faults

    def fail(self, *verbs: str, times: int = 1, with_: Callable[[], Refused], **headers: str) -> None:
        """Refuse the next requests of these verbs."""
        self._faults.append(Fault(frozenset(verbs), times, refusal=with_, headers=headers))

    def lose_answers(self, *verbs: str, times: int = 1) -> None:
        """Do what is asked, and break the connection instead of an answer."""
        self._faults.append(Fault(frozenset(verbs), times, loses_answer=True))

    def be_busy(self, *verbs: str, times: int = 1, retry_after: str = "0") -> None:
        """429, with how long to wait, in seconds."""
        self.fail(*verbs, times=times, with_=too_many, **{"Retry-After": retry_after})

    def be_broken(self, *verbs: str, times: int = 1, after: int = 0) -> None:
        """500, `after` so many requests of these verbs that go well."""
        self._faults.append(Fault(frozenset(verbs), times, refusal=internal, passes=after))

    def close_watches(self) -> None:
        """End every watch that stands, as a server does from time to time."""
        self._now(self._close_watches())

    def forget_history(self) -> None:
        """Compaction: whoever watches from before is told 410."""
        self._now(_made(self._storage.forget))

    # Its Leases, for tests to look at and to spoil

    def leases(self, namespace: str = "bots") -> dict[str, dict[str, Any]]:
        """All Leases by name."""

        async def copied() -> dict[str, dict[str, Any]]:
            kept = self._storage.leases
            return {
                name: json.loads(json.dumps(one)) for (where, name), one in kept.items() if where == namespace
            }

        return self._now(copied())

    def edit(self, name: str, change: Callable[[dict[str, Any]], None], namespace: str = "bots") -> None:
        """What `kubectl edit` does."""

        async def edited() -> None:
            lease = json.loads(json.dumps(self._storage.get((namespace, name))))
            change(lease)
            self._storage.update((namespace, name), lease)

        self._now(edited())

    def delete(self, name: str, namespace: str = "bots") -> None:
        """What `kubectl delete` does."""

        async def deleted() -> None:
            self._storage.delete((namespace, name), {})

        self._now(deleted())

    def _now(self, work: Coroutine[Any, Any, T]) -> T:
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(timeout=30)

    # Requests, in its own loop

    async def _start(self) -> None:
        app = web.Application(client_max_size=3 * 1024 * 1024)
        app.router.add_route("*", BASE, self._many)
        app.router.add_route("*", BASE + "/{name}", self._one)
        app.router.add_route("*", "/{path:.*}", self._nothing)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(
            self._runner, "127.0.0.1", self.port, reuse_address=True, ssl_context=self._tls
        ).start()

    async def _stop(self) -> None:
        if self._runner is not None:
            await self._close_watches()
            await self._runner.cleanup()
            self._runner = None

    async def _close_watches(self) -> None:
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
        self.requests[verb] += 1
        if self.latency:
            await asyncio.sleep(self.latency)
        await self._thawed.wait()
        try:
            self._admit(request, verb)
            fault = self._next_fault(verb)
            if fault is not None and fault.refusal is not None:
                return _refusal(fault.refusal(), fault.headers)
            answered = await answer(request)
        except Refused as refused:
            return _refusal(refused)
        if fault is not None and fault.loses_answer and request.transport is not None:
            request.transport.abort()
        return answered

    def _admit(self, request: web.Request, verb: str) -> None:
        user = self.tokens.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if user is None:
            raise unauthorized()
        namespace = request.match_info["namespace"]
        if verb not in self.granted:
            raise forbidden(user, verb, namespace)

    def _next_fault(self, verb: str) -> Fault | None:
        for fault in self._faults:
            if verb in fault.verbs and fault.passes > 0:
                fault.passes -= 1
            elif verb in fault.verbs and fault.left > 0:
                fault.left -= 1
                return fault
        return None

    async def _get(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self._storage.get(_key(request)))

    async def _create(self, request: web.Request) -> web.StreamResponse:
        namespace = request.match_info["namespace"]
        lease = await self._sent(request)
        if namespace not in self.namespaces:
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
        if is_new and "create" not in self.granted:
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
        self.warnings += unknown
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


async def _made(make: Callable[[], T]) -> T:
    """Made in the loop of whoever awaits this."""
    return make()
