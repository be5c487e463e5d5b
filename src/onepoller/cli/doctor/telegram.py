"""Telegram, asked: three methods, each once, and every failure a sentence without the token."""

from __future__ import annotations

from typing import Any

import httpx

from onepoller.coordination.errors import SettingsError
from onepoller.metrics.redaction import redact

PATIENCE = 15.0
"""Seconds for an answer that does not wait."""


class Unreachable(Exception):
    """No answer, or none of the Bot API's; the text says what came instead."""


class Refused(Exception):
    """The Bot API said no."""

    def __init__(self, status: int, description: str) -> None:
        super().__init__(status, description)
        self.status = status
        self.description = description


def root_of(api_root: str) -> httpx.URL:
    """The API root, checked. Raises SettingsError."""
    try:
        url = httpx.URL(api_root.rstrip("/"))
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise SettingsError("doctor: --api-root must be a URL such as https://api.telegram.org")
    return url


class Telegram:
    """One bot at one Bot API server."""

    def __init__(self, client: httpx.AsyncClient, root: httpx.URL, token: str) -> None:
        self._client = client
        self._bot = f"{root}/bot{token}/"
        self._token = token

    def __repr__(self) -> str:
        return f"<Telegram with bot {self._token.partition(':')[0]}>"

    async def ask(self, method: str, *, extra: float = 0.0, **parameters: int) -> Any:
        """The result of a method, for which `extra` more seconds may pass. Raises Refused or Unreachable."""
        timeout = httpx.Timeout(PATIENCE + extra)
        try:
            response = await self._client.get(self._bot + method, params=parameters, timeout=timeout)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(self.without_token(f"{type(error).__name__}: {error}".rstrip(": "))) from None
        return self._result(response)

    def _result(self, response: httpx.Response) -> Any:
        status = response.status_code
        try:
            body = response.json()
        except ValueError:
            body = None
        match body:
            case {"ok": True, "result": result}:
                return result
            case {"ok": False}:
                pass
            case _:
                raise Unreachable(f"HTTP {status}, and no answer of the Bot API")
        description = self.without_token(str(body.get("description", "")))
        if status == httpx.codes.TOO_MANY_REQUESTS or status >= 500:
            raise Unreachable(f"HTTP {status}: {description}")
        raise Refused(status, description)

    def without_token(self, text: str) -> str:
        """A text from outside that may quote our request."""
        return redact(text.replace(self._token, f"{self._token.partition(':')[0]}:***"))
