"""The show: set-up, five acts, the table, the exit status."""

from __future__ import annotations

import os
import secrets
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
from onepoller.demo import deploy, fight, guarded, kills, rival
from onepoller.demo.bots import Bot, BotFailed, Bots
from onepoller.demo.screen import Screen
from onepoller.demo.stage import GUARDED_BOT, PLAIN_BOT, Act, Pace, Stage
from onepoller.demo.verdict import Finding, all_kept
from onepoller.testing.botapi import ControlError, spawn

ACTS = (fight.ACT, guarded.ACT, kills.ACT, deploy.ACT, rival.ACT)
WORK = 0.02
"""Seconds that a guarded bot takes to handle a message: the framework's own queue is not always empty."""
Played = list[tuple[str, Sequence[Finding]]]


def show(console: Console, pace: Pace) -> int:
    """Play all acts; 0 if every promise held, else 1.

    Raises:
        SetupError: python-telegram-bot is not installed.

    """
    if find_spec("telegram") is None:
        raise SetupError("the demo runs real python-telegram-bot processes: pip install 'onepoller[ptb]'")
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
        "Five acts, less than a minute. The bots are real python-telegram-bot processes with their own "
        "settings; Telegram is played by a fake Bot API on this machine, whose journal is what is judged. "
        "Nothing leaves this machine, and the token is made up."
    )
    control = stack.enter_context(spawn())
    bots = stack.enter_context(Bots(control, folder))
    state = folder / "state"
    state.mkdir()
    plain, guard = (_token(bot_id) for bot_id in (PLAIN_BOT, GUARDED_BOT))
    settings = {"ONEPOLLER_STATE_DIR": str(state)}
    takeover = settings | {"ONEPOLLER_START": "takeover"}
    starts = [settings] * (pace.kills + 2) + [takeover] * pace.deploys
    stage = Stage(
        control=control,
        screen=screen,
        pace=pace,
        plain=[bots.start(f"bot-{number}", plain, is_guarded=False, settings={}) for number in (1, 2)],
        spare=[
            bots.start(f"bot-{number}", guard, is_guarded=True, work=WORK, settings=chosen)
            for number, chosen in enumerate(starts, start=1)
        ],
    )
    _wait_ready(screen, [*stage.plain, *stage.spare])
    # A claim ends with an fsync; on a fresh clone that would wait for what pip has just written.
    os.sync()
    return stage


def _wait_ready(screen: Screen, bots: Sequence[Bot]) -> None:
    with screen.moving() as shown:
        for number, bot in enumerate(bots, start=1):
            bot.wait_said("ready")
            shown(number / len(bots), [f"Set-up (does not count): {number} of {len(bots)} bots are ready."])


def _token(bot_id: int) -> str:
    return f"{bot_id}:{secrets.token_urlsafe(32)[:35]}"


def _play(stage: Stage) -> Played:
    played: Played = []
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
