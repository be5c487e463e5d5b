"""A faithful fake of the Bot API's polling side: what belongs here imports nothing else of ours.

The core (`BotApi`) is pure and runs on any clock; `FakeBotApi` puts it on a socket in this event loop,
`spawn` in a process of its own, `Control` gives it orders from anywhere. Methods beyond polling, webhooks
and a plain sendMessage do not belong here.
"""

from onepoller.testing.botapi.analysis import (
    Gap,
    Overlap,
    Tally,
    conflicts,
    delivered,
    duplicates,
    gaps,
    ghosts,
    longest_gap,
    overlaps,
    polls,
    tallies,
    undelivered,
)
from onepoller.testing.botapi.api import BotApi
from onepoller.testing.botapi.call import Answer, Call
from onepoller.testing.botapi.fake import FakeBotApi
from onepoller.testing.botapi.faults import Fault
from onepoller.testing.botapi.journal import Journal, Pushed, Row, of_bot
from onepoller.testing.botapi.remote import Control, ControlError, spawn
from onepoller.testing.botapi.replies import Cut, Reply
from onepoller.testing.botapi.rivals import BEHAVIOURS, Behaviour, Rival
from onepoller.testing.botapi.rules import FAITHFUL, NEWCOMER_REFUSED, Rules
from onepoller.testing.botapi.run import serve

__all__ = [
    "BEHAVIOURS",
    "FAITHFUL",
    "NEWCOMER_REFUSED",
    "Answer",
    "Behaviour",
    "BotApi",
    "Call",
    "Control",
    "ControlError",
    "Cut",
    "FakeBotApi",
    "Fault",
    "Gap",
    "Journal",
    "Overlap",
    "Pushed",
    "Reply",
    "Rival",
    "Row",
    "Rules",
    "Tally",
    "conflicts",
    "delivered",
    "duplicates",
    "gaps",
    "ghosts",
    "longest_gap",
    "of_bot",
    "overlaps",
    "polls",
    "serve",
    "spawn",
    "tallies",
    "undelivered",
]
