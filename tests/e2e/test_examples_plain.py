"""The examples with pyTelegramBotAPI and with plain HTTP clients: each answers, its second copy follows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.test_examples import test_an_example_answers_and_its_second_copy_follows as answers_and_follows

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "file", ["telebot_bot.py", "async_telebot_bot.py", "requests_loop.py", "aiohttp_loop.py"]
)
def test_a_second_copy_follows(file: str, canary: str) -> None:
    """One copy answers; interrupted, it makes room, and the other one answers."""
    answers_and_follows(file, canary)


def test_a_second_copy_of_the_curl_loop_follows(canary: str, require_program: Callable[[str], Path]) -> None:
    """The same where curl is installed."""
    require_program("curl")
    answers_and_follows("curl_loop.py", canary)
