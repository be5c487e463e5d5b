"""The wire for callers with an HTTP client of their own: one function that performs a Bot API method."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from onepoller.coordination.reply import outcome_of
from onepoller.coordination.wire import Delivered, Manners, Outcome, Refused, Request

_MANNERS = Manners()


class PlainWire:
    """Sends through `call(method, parameters)`, which returns the decoded reply, errors too."""

    manners = _MANNERS

    def __init__(
        self, call: Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]], *, api_root: str
    ) -> None:
        self._call = call
        self.api_root = api_root

    async def poll(self, request: Request) -> Delivered | Refused:
        """One getUpdates."""
        reply = await self._call("getUpdates", parameters_of(request))
        return outcome_of(_status(reply), reply, reply)

    async def ask(self, method: str) -> dict[str, Any]:
        """One read-only method."""
        return _result(await self._call(method, {}))


class PlainSyncWire:
    """The same without an event loop."""

    manners = _MANNERS

    def __init__(self, call: Callable[[str, dict[str, Any]], dict[str, Any]], *, api_root: str) -> None:
        self._call = call
        self.api_root = api_root

    def poll(self, request: Request) -> Delivered | Refused:
        """One getUpdates."""
        reply = self._call("getUpdates", parameters_of(request))
        return outcome_of(_status(reply), reply, reply)

    def ask(self, method: str) -> dict[str, Any]:
        """One read-only method."""
        return _result(self._call(method, {}))


def parameters_of(request: Request) -> dict[str, Any]:
    """The parameters of a getUpdates, as plain data; what the caller did not give is left out."""
    parameters: dict[str, Any] = {"timeout": int(request.timeout)}
    if request.offset:
        parameters["offset"] = request.offset
    if request.limit is not None:
        parameters["limit"] = request.limit
    if request.allowed_updates is not None:
        parameters["allowed_updates"] = list(request.allowed_updates)
    return parameters


def reply_of(outcome: Outcome) -> dict[str, Any]:
    """The reply to hand back to a plain caller."""
    if isinstance(outcome, Delivered | Refused):
        reply: dict[str, Any] = outcome.reply
        return reply
    return {"ok": True, "result": []}


def _status(reply: dict[str, Any]) -> int:
    return 200 if reply.get("ok") else int(reply.get("error_code", 500))


def _result(reply: dict[str, Any]) -> dict[str, Any]:
    result = reply.get("result")
    if not reply.get("ok") or not isinstance(result, dict):
        raise RuntimeError(f"the Bot API answered {reply.get('description', '')!r}")
    return result
