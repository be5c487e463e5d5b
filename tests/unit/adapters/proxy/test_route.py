"""Where a target leads, and what of it is sent on."""

from __future__ import annotations

import pytest

from onepoller.adapters.proxy.route import route_of

TOKEN = "7000000001:AAH-test_test"


@pytest.mark.parametrize(
    ("target", "method", "sent"),
    [
        (f"/bot{TOKEN}/getUpdates", "getupdates", f"/bot{TOKEN}/getUpdates"),
        (f"/bot{TOKEN}/GETUPDATES?offset=3", "getupdates", f"/bot{TOKEN}/GETUPDATES?offset=3"),
        (f"/bot{TOKEN}/get%55pdates", "getupdates", f"/bot{TOKEN}/getUpdates"),
        (f"/bot{TOKEN.replace(':', '%3A')}%2FgetUpdates", "getupdates", f"/bot{TOKEN}/getUpdates"),
        (f"/bot{TOKEN}/test/getUpdates", "getupdates", f"/bot{TOKEN}/test/getUpdates"),
        (f"/bot{TOKEN}/?method=getUpdates", "", f"/bot{TOKEN}/?method=getUpdates"),
        (
            f"/bot{TOKEN}/sendMessage?text=a+b%20%D1%8F",
            "sendmessage",
            f"/bot{TOKEN}/sendMessage?text=a+b%20%D1%8F",
        ),
    ],
)
def test_a_method_is_understood_and_written_anew(target: str, method: str, sent: str) -> None:
    """Letter case, percent-encoding and the test environment say the same method."""
    route = route_of(target)
    assert route is not None
    assert (route.bot_id, route.method, route.target, route.is_file) == (7000000001, method, sent, False)


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/getUpdates",
        "/Bot7000000001:AAH/getUpdates",
        f"/bot{TOKEN}",
        f"//bot{TOKEN}/getUpdates",
        f"/bot{TOKEN}//getUpdates",
        f"/bot{TOKEN}/./getUpdates",
        f"/bot{TOKEN}/getUpdates/",
        f"/bot{TOKEN}/getUpdates%00",
        f"/bot{TOKEN}/getUpdates%3Foffset=1",
        f"/bot{TOKEN}/get%2555pdates",
        "/bot7000000001/getUpdates",
        "/bot\u0667:AAH/getUpdates",
        f"/file/bot{TOKEN}/../../bot{TOKEN}/getUpdates",
        f"/file/bot{TOKEN}/a/%2e%2e/b",
        f"/file/bot{TOKEN}/a//b",
        f"http://127.0.0.1/bot{TOKEN}/getUpdates",
        "*",
    ],
)
def test_anything_else_leads_nowhere(target: str) -> None:
    """A spelling that another server may read differently is sent to nobody."""
    assert route_of(target) is None


def test_a_file_keeps_its_path() -> None:
    """A file's path is sent on, percent-encoded."""
    route = route_of(f"/file/bot{TOKEN}/photos/file%201.jpg")
    assert route is not None
    assert (route.is_file, route.target) == (True, f"/file/bot{TOKEN}/photos/file%201.jpg")


def test_a_method_of_a_parameter_takes_its_place_in_the_path() -> None:
    """What a parameter called `method` says stands in the path that is sent on."""
    route = route_of(f"/bot{TOKEN}/?method=getMe")
    assert route is not None
    named = route.named("getMe")
    assert named is not None
    assert (named.method, named.path_of(named.name)) == ("getme", f"/bot{TOKEN}/getMe")


@pytest.mark.parametrize("name", ["", "get/Me", "getMe?x", "get Me", "../getMe"])
def test_a_parameter_that_is_no_name_names_nothing(name: str) -> None:
    """A method of strange characters is not sent on."""
    route = route_of(f"/bot{TOKEN}/")
    assert route is not None
    assert route.named(name) is None


def test_no_token_in_a_repr() -> None:
    """A route can be logged."""
    assert "AAH" not in repr(route_of(f"/bot{TOKEN}/getMe?x={TOKEN}"))
