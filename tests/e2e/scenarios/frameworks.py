"""The frameworks that a scenario is run with, and their programs."""

from __future__ import annotations

from tests.e2e.bots.processes import Bot, Bots

PROGRAMS = {"ptb": "ptb.py", "aiogram": "aiogram_bot.py", "bare": "bare.py"}
FRAMEWORKS = ("ptb", "aiogram")


def start(bots: Bots, kind: str, name: str, *options: str, **settings: object) -> Bot:
    """Start a bot of this kind, guarded."""
    return bots._start(PROGRAMS[kind], name, options, (), settings)
