"""One fake Bot API, one store in memory, and every adapter's driver: what the contract is run with."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from onepoller import OnePoller
from onepoller.coordination.stores.memory import MemoryStore
from onepoller.testing import FakeBotApi
from tests.contract.driver import Driver, Ear
from tests.contract.drivers.aiogram import Aiogram
from tests.contract.drivers.httpx_loops import Httpx, HttpxSync
from tests.contract.drivers.proxy import Sidecar
from tests.contract.drivers.ptb import Ptb
from tests.contract.drivers.telebot import AsyncTelebot, Telebot

DRIVERS: list[Driver] = [
    Ptb(),
    Aiogram(),
    Telebot("telebot", threaded=True),
    Telebot("telebot, unthreaded", threaded=False),
    AsyncTelebot(),
    Httpx(),
    HttpxSync(),
    Sidecar(),
]
"""Every adapter. A new one adds its driver here, and nothing else."""
FRAMEWORKS = ("telegram", "aiogram", "TeleBot")
"""The loggers of the frameworks."""


@pytest.fixture
def anyio_backend() -> str:
    """Run asynchronous tests on asyncio."""
    return "asyncio"


@pytest.fixture(params=DRIVERS, ids=lambda driver: driver.name)
def driver(request: pytest.FixtureRequest) -> Driver:
    """Give one adapter after the other."""
    driver: Driver = request.param
    return driver


@pytest.fixture
async def fake(anyio_backend: str) -> AsyncIterator[FakeBotApi]:
    """Give a fake Bot API in this event loop."""
    assert anyio_backend == "asyncio"
    async with FakeBotApi() as fake:
        yield fake


@pytest.fixture
def make_poller() -> Iterator[Callable[..., OnePoller]]:
    """Give a function that makes instances which meet in one store in memory."""
    store = MemoryStore()
    made: list[OnePoller] = []

    def make(**settings: Any) -> OnePoller:
        made.append(OnePoller(store=store, environment={}, **{"on_rival": "hold"} | settings))
        return made[-1]

    yield make
    for poller in made:
        poller.close()


@pytest.fixture(autouse=True)
def ear() -> Iterator[None]:
    """Hear what the frameworks log."""
    ear = Ear(logging.WARNING)
    for name in FRAMEWORKS:
        logging.getLogger(name).addHandler(ear)
    yield
    for name in FRAMEWORKS:
        logging.getLogger(name).removeHandler(ear)
