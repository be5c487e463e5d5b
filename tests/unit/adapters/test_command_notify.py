"""The words for systemd, over a real datagram socket."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from onepoller.adapters.command import Notifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """Give a service manager's socket and its address."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(5)
        yield listening, str(tmp_path / "notify")


def test_words_go_in_one_datagram(manager: tuple[socket.socket, str]) -> None:
    """One assignment a line, and no line more than there are words."""
    listening, address = manager
    Notifier({"NOTIFY_SOCKET": address}).tell(READY="1", STATUS="two\nlines")
    assert listening.recv(100) == b"READY=1\nSTATUS=two lines"


def test_an_abstract_address_begins_with_an_at_sign() -> None:
    """As systemd writes it."""
    name = f"onepoller-unit-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}")
        listening.settimeout(5)
        Notifier({"NOTIFY_SOCKET": f"@{name}"}).tell(STOPPING="1")
        assert listening.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize("address", ["", "vsock:2:1234"])
def test_without_an_address_of_ours_nothing_happens(address: str) -> None:
    """No service manager, or one in another machine."""
    notifier = Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000000"})
    notifier.tell(READY="1")
    assert notifier.watchdog_every is None


def test_a_manager_that_is_gone_is_told_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One warning; the bot is not disturbed."""
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")})
    with caplog.at_level(logging.WARNING):
        notifier.tell(READY="1")
        notifier.tell(READY="1")
    assert [record.getMessage() for record in caplog.records] == [
        "NOTIFY_SOCKET cannot be reached ([Errno 2] No such file or directory): systemd is told nothing more"
    ]


@pytest.mark.parametrize(
    ("words", "every"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "x"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_fed_twice_in_its_time(words: dict[str, str], every: float | None) -> None:
    """If it is there, and meant for this process."""
    assert Notifier({"NOTIFY_SOCKET": "/run/notify"} | words).watchdog_every == every
