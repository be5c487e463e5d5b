"""What the metrics port answers to a path: metrics, health, readiness, status. Knows no socket.

`/readyz` is true from the moment that a bot has come further than `STARTING`, in standby too: a rolling
update waits for it, and the one that it waits for stands by until the old one ends.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from onepoller.coordination.identity import BotId
from onepoller.metrics.exposition import CONTENT_TYPE, exposition
from onepoller.metrics.health import bot_health, health
from onepoller.metrics.ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One answer."""

    status: HTTPStatus
    body: bytes
    content_type: str = "application/json"


class Pages:
    """The pages of one process."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        status: Callable[[], Mapping[str, object]] | None = None,
        is_alive: Callable[[], bool] | None = None,
    ) -> None:
        self._ledger = ledger
        self._status = status
        self._is_alive = is_alive or (lambda: True)
        self._pages: dict[str, Callable[[str], Page]] = {
            "/metrics": self._metrics,
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/status": self._status_page,
        }

    def page(self, target: str) -> Page:
        """Answer a request target: a path and perhaps a query."""
        url = urlsplit(target)
        answer = self._pages.get(url.path)
        if answer is None:
            return _json(HTTPStatus.NOT_FOUND, {"pages": list(self._pages)})
        return answer(url.query)

    def _metrics(self, _query: str) -> Page:
        return Page(status=HTTPStatus.OK, body=exposition(self._ledger), content_type=CONTENT_TYPE)

    def _healthz(self, query: str) -> Page:
        bots, alive = self._ledger.bots(), self._is_alive()
        asked = parse_qs(query).get("bot_id")
        if asked is None:
            found = health(bots, thread_alive=alive)
        else:
            bot_id = BotId(int(asked[0])) if asked[0].isdecimal() else BotId(0)
            if bot_id not in bots:
                return _json(HTTPStatus.NOT_FOUND, {"reason": "no such bot in this process"})
            found = bot_health(bot_id, bots[bot_id], thread_alive=alive)
        return _json(HTTPStatus.OK if found.is_well else HTTPStatus.SERVICE_UNAVAILABLE, found.body())

    def _readyz(self, _query: str) -> Page:
        if self._ledger.is_initialised:
            return _json(HTTPStatus.OK, {"ready": True})
        return _json(HTTPStatus.SERVICE_UNAVAILABLE, {"ready": False, "reason": "no bot has started yet"})

    def _status_page(self, _query: str) -> Page:
        if self._status is None:
            return _json(HTTPStatus.NOT_FOUND, {"reason": "this process gives no status"})
        return _json(HTTPStatus.OK, self._status())


def _json(status: HTTPStatus, body: Mapping[str, object]) -> Page:
    return Page(status=status, body=json.dumps(body).encode() + b"\n")
