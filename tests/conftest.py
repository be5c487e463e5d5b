"""House rules for every test: no other machine, no leftovers, no token in what is printed.

Every test runs with nobody's settings (no ``ONEPOLLER_*`` but a state directory of its own) and fails if it
tried to reach another machine, left a thread running that keeps the process alive, or let the canary token's
secret come out on stdout, stderr or in a log. Subprocesses inherit the environment, not the other rules.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import ipaddress
import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import NoReturn

import hypothesis
import pytest

# The folders of these names at the root are onepoller.adapters and so on. Under their bare names they would
# be second copies of the modules, with classes that are not the classes.
for _room in ("adapters", "coordination", "metrics"):
    sys.modules[_room] = None  # type: ignore[assignment]  # None is how an import is forbidden

hypothesis.settings.register_profile("onepoller", derandomize=True, deadline=None)
hypothesis.settings.load_profile("onepoller")

# A shell starts what runs in its background with SIGINT ignored, and so would be every program under test.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

CANARY = "7000000001:AAH-canary-canary-canary-canary-can"
_SECRET = CANARY.partition(":")[2]
ASYNC_SHARE = 0.9
"""A test in an event loop may take this share of what any test may take."""
LONG = (
    *("test_adapters.py", "test_commands.py", "test_demo.py", "test_doctor.py", "test_etcd_contract.py"),
    *("test_faults.py", "test_postgresql_contract.py", "test_process.py", "test_run.py", "test_run_proxy.py"),
    *("test_simulation.py", "test_workers.py"),
)
"""Files that take most of a minute, and more."""
_MAY_LEAVE = bool(os.environ.get("ONEPOLLER_TEST_CLUSTER"))
"""Somebody has named a cluster of theirs: `make test-kubernetes`."""
_SERVERS_REQUIRED = os.environ.get("ONEPOLLER_REQUIRE_SERVERS") == "1"
_PACKAGES = {"etcd": "etcd-server", "postgres": "postgresql"}
"""Of Debian, where a package is not named after its program."""
_ELSEWHERE = [*map(str, Path("/usr/lib/postgresql").glob("*/bin")), "/usr/sbin"]
"""Where Debian keeps programs that are not in everybody's path."""


Lacking = Callable[[str], NoReturn]


class OtherMachine(Exception):
    """A test wanted to talk to something that is not this machine."""


_refused: list[str] = []


def _is_here(host: object) -> bool:
    if _MAY_LEAVE or host in (None, "", "localhost", b"localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host))
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _keep_here(host: object) -> None:
    if not _is_here(host):
        _refused.append(str(host))
        raise OtherMachine(f"a test may reach this machine only, not {host}")


def _guarded(call: Callable[..., object]) -> Callable[..., object]:
    def connect(self: socket.socket, address: object) -> object:
        if self.family in (socket.AF_INET, socket.AF_INET6) and isinstance(address, tuple):
            _keep_here(address[0])
        return call(self, address)

    return connect


def _guarded_lookup(call: Callable[..., object]) -> Callable[..., object]:
    def getaddrinfo(host: object, *args: object, **kwargs: object) -> object:
        _keep_here(host)
        return call(host, *args, **kwargs)

    return getaddrinfo


for _name in ("connect", "connect_ex"):
    setattr(socket.socket, _name, _guarded(getattr(socket.socket, _name)))
setattr(socket, "getaddrinfo", _guarded_lookup(socket.getaddrinfo))  # noqa: B010  # plain assignment: a type error


@pytest.fixture(autouse=True)
def refused_hosts(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[str]]:
    """Keep the house rules around one test. Gives the hosts it was refused: a list to look at and clear."""
    for name in [name for name in os.environ if name.startswith("ONEPOLLER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ONEPOLLER_STATE_DIR", str(tmp_path_factory.mktemp("state")))
    _refused.clear()
    before = set(threading.enumerate())
    yield _refused
    left = [thread for thread in threading.enumerate() if thread not in before and not thread.daemon]
    for thread in left:
        thread.join(timeout=1)  # one that is on its way out may get there
    names = [thread.name for thread in left if thread.is_alive()]
    assert not names, f"threads left behind: {names}"
    assert not _refused, f"hosts outside this machine, refused: {_refused}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mix the files that wait for processes, the longest first, with those that compute.

    The processors have something to do while the others wait, and no long file is left for the end.
    """
    waiting: dict[Path, None] = {}
    computing: dict[Path, None] = {}
    items.sort(key=lambda item: ("scenarios" not in item.path.parts, item.path.name not in LONG))
    for item in items:
        (waiting if "e2e" in item.path.parts else computing)[item.path] = None
    place = {path: number / len(files) for files in (waiting, computing) for number, path in enumerate(files)}
    items.sort(key=lambda item: place[item.path])


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """End a test in an event loop before pytest-timeout does: that leaves the loop in the middle of the test.

    The fixtures that are made and unmade in the same loop would then wait for ever, and the whole run.
    """
    body = pyfuncitem.obj
    if inspect.iscoroutinefunction(body) and not hasattr(body, "hypothesis"):
        marker = pyfuncitem.get_closest_marker("timeout")
        seconds = float(marker.args[0] if marker else pyfuncitem.config.getini("timeout")) * ASYNC_SHARE

        @functools.wraps(body)
        async def limited(**arguments: object) -> None:
            async with asyncio.timeout(seconds):
                await body(**arguments)

        pyfuncitem.obj = limited
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that printed or logged the canary token's secret."""
    report = yield
    where = [title for title, text in report.sections if _SECRET in text]
    if where and report.passed:
        report.outcome = "failed"
        report.longrepr = f"the canary token's secret is in: {', '.join(where)}"
    return report


@pytest.fixture
def canary() -> str:
    """Give a token whose secret must not come out anywhere. Its bot id is 7000000001."""
    return CANARY


@pytest.fixture(scope="session")
def lacking() -> Lacking:
    """Give a function that skips the test for what this machine lacks, or fails it where nothing may lack."""
    return pytest.fail if _SERVERS_REQUIRED else pytest.skip


@pytest.fixture(scope="session")
def require_program(lacking: Lacking) -> Callable[[str], Path]:
    """Give a function that finds a server's program, or says what to install: it is lacking."""

    def require(name: str) -> Path:
        found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *_ELSEWHERE]))
        if found is None:
            lacking(f"{name} is not installed: `make servers`, or the package {_PACKAGES.get(name, name)}")
        return Path(found)

    return require
