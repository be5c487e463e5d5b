"""URLs of the Bot API, as the published server reads their paths."""

from __future__ import annotations

import pytest

from onepoller.coordination.identity import BotId
from onepoller.coordination.target import Target, sibling, target_of

ROOT = "https://api.telegram.org"


def target(method: str, api_root: str = ROOT) -> Target:
    """Give a target of the bot of these tests."""
    return Target(bot_id=BotId(42), api_root=api_root, method=method)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param(f"{ROOT}/bot42:AAA/getUpdates", target("getupdates"), id="as everybody writes it"),
        pytest.param(f"{ROOT}/bot42:AAA/GETUPDATES?offset=1", target("getupdates"), id="any letter case"),
        pytest.param(f"{ROOT}/bot42%3AAAA/get%55pdates", target("getupdates"), id="percent-encoded"),
        pytest.param(f"{ROOT}/%62ot42:AAA/getMe", target("getme"), id="percent-encoded bot"),
        pytest.param(f"{ROOT}/bot42:AAA/", target(""), id="the method is a parameter"),
        pytest.param(f"{ROOT}/bot42:AAA/test/getMe", target("getme", f"{ROOT}/test"), id="test environment"),
        pytest.param(
            "http://127.0.0.1:8081/_as/a/bot42:AAA/getMe",
            target("getme", "http://127.0.0.1:8081/_as/a"),
            id="prefix",
        ),
        pytest.param(
            "http://u:p4ss@h:1/bot42:AAA/getMe", target("getme", "http://h:1"), id="password left out"
        ),
    ],
)
def test_a_method_of_a_bot(url: str, expected: Target) -> None:
    """The bot, the API root without anything secret, and the method in lower case."""
    assert target_of(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        pytest.param(f"{ROOT}/Bot42:AAA/getUpdates", id="/bot is case-sensitive"),
        pytest.param(f"{ROOT}/bot42:AAA", id="no method"),
        pytest.param(f"{ROOT}/file/bot42:AAA/photos/file_1.jpg", id="a file"),
        pytest.param("http://127.0.0.1:8081/health", id="a port is no bot id"),
        pytest.param("/bot42:AAA/getUpdates", id="not absolute"),
    ],
)
def test_no_method_of_a_bot(url: str) -> None:
    """Everything else is nobody's business here."""
    assert target_of(url) is None


def test_another_method_of_the_same_bot() -> None:
    """The last part of the path is replaced, the query left out."""
    assert sibling("http://h/x/bot42:AAA/getUpdates?a=/b", "getMe") == "http://h/x/bot42:AAA/getMe"
