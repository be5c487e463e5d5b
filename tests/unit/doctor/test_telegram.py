"""Telegram, asked through a transport that answers as a server may: what is raised, and without the token."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from onepoller.cli.doctor.telegram import Refused, Telegram, Unreachable, root_of
from onepoller.coordination.errors import SettingsError
from onepoller.metrics.redaction import install_redaction, uninstall_redaction

ROOT = httpx.URL("http://api.test")


@pytest.fixture(autouse=True)
def redaction() -> Iterator[None]:
    """Clean what httpx logs, as the command does."""
    install_redaction()
    yield
    uninstall_redaction()


def ask(token: str, answer: Callable[[httpx.Request], httpx.Response]) -> Any:
    """Ask getMe of a server that answers so."""

    async def asked() -> Any:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            return await Telegram(client, ROOT, token).ask("getMe")

    return asyncio.run(asked())


def test_a_result_is_given(canary: str) -> None:
    """What stands in `result`."""
    assert ask(canary, lambda _: httpx.Response(200, json={"ok": True, "result": {"id": 1}})) == {"id": 1}


@pytest.mark.parametrize(
    ("status", "json", "said"),
    [
        (502, None, "HTTP 502, and no answer of the Bot API"),
        (200, [], "HTTP 200, and no answer of the Bot API"),
        (200, {"ok": True}, "HTTP 200, and no answer of the Bot API"),
        (302, None, "HTTP 302, and no answer of the Bot API"),
        (500, {"ok": False, "description": "restart"}, "HTTP 500: restart"),
        (429, {"ok": False, "description": "Too Many Requests"}, "HTTP 429: Too Many Requests"),
    ],
)
def test_what_is_no_answer_of_telegram_is_unreachable(canary: str, status: int, json: Any, said: str) -> None:
    """A proxy's page, a server that restarts, a flood limit."""
    with pytest.raises(Unreachable, match=f"^{said}$"):
        ask(canary, lambda _: httpx.Response(status, json=json))


def test_a_no_is_a_refusal(canary: str) -> None:
    """With its status and description."""
    with pytest.raises(Refused) as refused:
        ask(canary, lambda _: httpx.Response(401, json={"ok": False, "description": "Unauthorized"}))
    assert (refused.value.status, refused.value.description) == (401, "Unauthorized")


def test_an_error_of_the_client_is_told_without_the_token(canary: str) -> None:
    """Even where it quotes the whole URL, and carries no cause that would."""

    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(f"cannot reach {request.url}")

    with pytest.raises(Unreachable) as unreachable:
        ask(canary, fail)
    assert str(unreachable.value) == (
        f"ConnectError: cannot reach http://api.test/bot{canary.partition(':')[0]}:***/getMe"
    )
    assert unreachable.value.__cause__ is None
    assert unreachable.value.__suppress_context__


def test_its_repr_has_no_token(canary: str) -> None:
    """The bot id alone."""
    assert (
        repr(Telegram(httpx.AsyncClient(), ROOT, canary)) == f"<Telegram with bot {canary.partition(':')[0]}>"
    )


@pytest.mark.parametrize("text", ["", "api.telegram.org", "ftp://api.test", "http://", "http://[::"])
def test_what_is_no_url_is_no_api_root(text: str) -> None:
    """Found before anything is sent."""
    with pytest.raises(SettingsError):
        root_of(text)


def test_a_slash_at_the_end_is_no_matter() -> None:
    """As people write it."""
    assert str(root_of("http://api.test/")) == "http://api.test"
