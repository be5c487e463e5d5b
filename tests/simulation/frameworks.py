"""The frameworks that poll in our own processes: how each pauses, and what its cancel means."""

from __future__ import annotations

from dataclasses import dataclass

from onepoller.coordination.wire import Manners, OnCancel
from onepoller.testing.botapi import BEHAVIOURS, Behaviour


@dataclass(frozen=True, slots=True, kw_only=True)
class Framework:
    """How a framework polls, and what its cancel means."""

    name: str
    behaviour: Behaviour
    manners: Manners
    confirms: bool = False
    """It sends a last call without waiting when it stops."""


FRAMEWORKS = {
    "ptb": Framework(
        name="ptb",
        behaviour=BEHAVIOURS["ptb"],
        manners=Manners(on_cancel=OnCancel.STOPPING, fetches_ahead=True),
        confirms=True,
    ),
    "aiogram": Framework(
        name="aiogram", behaviour=BEHAVIOURS["aiogram"], manners=Manners(on_cancel=OnCancel.STOPPING)
    ),
    "loop": Framework(name="loop", behaviour=BEHAVIOURS["fixed"], manners=Manners()),
}
