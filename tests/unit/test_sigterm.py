"""SIGTERM where it is handled by request: everything is released before the former behaviour."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from onepoller import OnePoller, SettingsError, SetupError
from onepoller.coordination.stores.memory import MemoryStore
from onepoller.sigterm import release_on_sigterm


@pytest.fixture(autouse=True)
def former() -> Iterator[list[str]]:
    """Handle SIGTERM as a program would, for the time of a test; gives what happened, in order."""
    happened: list[str] = []
    before = signal.signal(signal.SIGTERM, lambda *_: happened.append("former"))
    yield happened
    signal.signal(signal.SIGTERM, before)


class Second:
    """Waits for the second SIGTERM, which the first one sends when everything is released."""

    def __init__(self) -> None:
        self.came = threading.Event()

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        self.came.set()

    def comes(self) -> bool:
        """Wait in slices: a signal that comes as a wait begins is handled when that ends."""
        return any(self.came.wait(0.05) for _ in range(100))


def test_everything_is_released_before_the_former_handler_runs(former: list[str]) -> None:
    """The handler that was there is called once, after the release."""
    second = Second()

    def handle(number: int, frame: FrameType | None) -> None:
        former.append("former")
        second(number, frame)

    signal.signal(signal.SIGTERM, handle)
    release_on_sigterm(lambda: former.append("released"))

    signal.raise_signal(signal.SIGTERM)

    assert second.comes()
    assert former == ["released", "former"]


def test_a_second_signal_does_not_wait_for_the_release(former: list[str]) -> None:
    """Who sends it twice is in a hurry."""
    goes_on = threading.Event()
    second = Second()
    signal.signal(signal.SIGTERM, second)
    release_on_sigterm(lambda: former.append("released") if goes_on.wait(5) else None)

    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)

    assert (second.came.is_set(), former) == (True, [])
    second.came.clear()
    goes_on.set()
    assert second.comes()


def test_an_ignored_signal_stays_ignored(former: list[str]) -> None:
    """It releases all the same: it was asked for."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    released = threading.Event()
    release_on_sigterm(released.set)

    signal.raise_signal(signal.SIGTERM)

    assert released.wait(5)
    for thread in threading.enumerate():
        if thread.name == "onepoller-sigterm":
            thread.join()  # it sends the second signal, which must not meet another handler
    assert former == []


def test_outside_of_the_main_thread_it_is_told_in_one_sentence() -> None:
    """Python installs signal handlers in the main thread only."""
    raised: list[Exception] = []

    def install() -> None:
        try:
            release_on_sigterm(lambda: None)
        except SetupError as error:
            raised.append(error)

    thread = threading.Thread(target=install)
    thread.start()
    thread.join()

    assert [str(error) for error in raised] == [
        "handle_sigterm works in the main thread only: make the OnePoller there, or without it"
    ]


def test_no_handler_is_installed_unasked() -> None:
    """SIGTERM is the program's own."""
    before = signal.getsignal(signal.SIGTERM)

    OnePoller(store=MemoryStore(), environment={})

    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("argument", "variable", "is_installed"),
    [
        pytest.param(True, None, True, id="by argument"),
        pytest.param(None, "yes", True, id="by variable"),
        pytest.param(False, "yes", False, id="the argument wins"),
    ],
)
def test_it_is_asked_for_by_argument_or_variable(
    argument: bool | None, variable: str | None, is_installed: bool
) -> None:
    """`handle_sigterm=True`, or ONEPOLLER_HANDLE_SIGTERM."""
    before = signal.getsignal(signal.SIGTERM)
    environment = {"ONEPOLLER_HANDLE_SIGTERM": variable} if variable else {}

    OnePoller(store=MemoryStore(), environment=environment, handle_sigterm=argument)

    assert (signal.getsignal(signal.SIGTERM) is not before) == is_installed


def test_a_flag_that_is_none_is_told() -> None:
    """As every wrong setting is."""
    with pytest.raises(SettingsError, match="ONEPOLLER_HANDLE_SIGTERM must be yes or no"):
        OnePoller(store=MemoryStore(), environment={"ONEPOLLER_HANDLE_SIGTERM": "perhaps"})


def test_the_default_end_of_a_process_stays_what_it_is() -> None:
    """The process dies of the signal, after the release."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        release_on_sigterm(lambda: (os.write(writer, b"released"), None)[1])
        signal.raise_signal(signal.SIGTERM)
        threading.Event().wait(5)
        os._exit(1)
    os.close(writer)
    _, status = os.waitpid(child, 0)

    assert (os.read(reader, 20), os.WTERMSIG(status)) == (b"released", signal.SIGTERM)
    os.close(reader)


def test_a_forked_child_releases_nothing_of_its_parents(former: list[str]) -> None:
    """There the signal does what it did before."""
    release_on_sigterm(lambda: former.append("released"))
    child = os.fork()
    if not child:
        signal.raise_signal(signal.SIGTERM)
        os._exit(0 if former == ["former"] else 1)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
