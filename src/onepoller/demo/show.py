"""The show: set-up, six acts, the table, the exit status."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

from rich.console import Console

from onepoller.coordination.errors import SetupError
from onepoller.demo import deploy, fight, guarded, kills, languages, proxies, rival
from onepoller.demo.bots import BotFailed, Bots
from onepoller.demo.cast import cast
from onepoller.demo.screen import Screen
from onepoller.demo.stage import Act, Pace, Stage
from onepoller.demo.verdict import Finding, all_kept
from onepoller.testing.botapi import ControlError, spawn

ACTS = (fight.ACT, guarded.ACT, kills.ACT, deploy.ACT, rival.ACT, proxies.ACT)
NEEDS = {"telegram": "ptb", "aiohttp": "proxy"}
"""What is optional for onepoller and not for the demo: module and extra."""
Played = list[tuple[str, Sequence[Finding]]]


def show(console: Console, pace: Pace) -> int:
    """Play all acts; 0 if every promise held, else 1.

    Raises:
        SetupError: python-telegram-bot or aiohttp is not installed.

    """
    missing = [extra for module, extra in NEEDS.items() if find_spec(module) is None]
    if missing:
        raise SetupError(
            "the demo runs real python-telegram-bot processes, and proxies: "
            f"pip install 'onepoller[{','.join(missing)}]'"
        )
    screen = Screen(console)
    with ExitStack() as stack:
        stack.enter_context(_ended_in_order())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="onepoller-demo-")))
        stage = _set_up(stack, screen, folder, pace)
        began = time.monotonic()
        played = _play(stage)
        took = time.monotonic() - began
    screen.table(played)
    held = all_kept(finding for _, findings in played for finding in findings)
    screen.tell(f"{'Every promise held.' if held else 'A promise did not hold.'} The acts took {took:.0f} s.")
    if not held:
        screen.tell(
            f"The load average is {os.getloadavg()[0]:.1f}, on {os.cpu_count()} processors: where others "
            "use them too, milliseconds say little. What is promised as 0 or as one holds everywhere."
        )
    return 0 if held else 1


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Have SIGTERM end the demo as Ctrl-C does: everything that was started is ended, too."""

    def end(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _set_up(stack: ExitStack, screen: Screen, folder: Path, pace: Pace) -> Stage:
    screen.title("onepoller: exactly one poller per bot token")
    screen.tell(
        "Six acts, less than a minute. The bots are real python-telegram-bot processes with their own "
        "settings, in the last act others; Telegram is played by a fake Bot API on this machine, whose "
        "journal is what is judged. Nothing leaves this machine, and the token is made up."
    )
    control = stack.enter_context(spawn())
    bots = stack.enter_context(Bots(control, folder))
    return cast(bots, control, screen, pace, languages.at_hand())


def _play(stage: Stage) -> Played:
    played: Played = []
    stage.guarded.begin()  # of act 2: its trial passes while act 1 is seen
    for number, act in enumerate(ACTS, start=1):
        name = f"{number}. {act.title}"
        stage.screen.title(name)
        stage.screen.tell(act.story)
        findings, is_over = _played(stage, act)
        played.append((name, findings))
        if not is_over:
            break
    return played


def _played(stage: Stage, act: Act) -> tuple[list[Finding], bool]:
    try:
        return act.play(stage), True
    except (BotFailed, ControlError, TimeoutError) as error:
        return [Finding(what="came to its end", promised="yes", measured=str(error), is_kept=False)], False
