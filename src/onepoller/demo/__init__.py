"""The demo: real bots fight, are healed, and fail over, in less than a minute, on this machine alone.

What belongs here plays or judges one of the six acts. Nothing else of onepoller imports it, but the command
line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from onepoller.demo.stage import Pace

__all__ = ["run"]


def run(console: Console | None = None, *, pace: Pace | None = None) -> int:
    """Play it; the exit status is 0 if every promise held, else 1. SetupError says what is not installed."""
    # Not at the top: each bot process imports this package, and a bot loads no more than it needs.
    from rich.console import Console  # noqa: PLC0415

    from onepoller.demo.show import show  # noqa: PLC0415
    from onepoller.demo.stage import Pace  # noqa: PLC0415

    return show(console or Console(highlight=False), pace or Pace())
