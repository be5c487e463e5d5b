"""Is this process well? Pure: the tallies go in, a verdict comes out.

`/healthz` fails only where a restart can help: every bot's framework has stopped calling, or our own thread
is dead. Telegram out of reach, a webhook in the way, a refused token, a rival and standby are healthy
processes; metrics, status and alerts tell of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from onepoller.coordination.identity import BotId
from onepoller.coordination.report import Role
from onepoller.metrics.reading import PROBLEMS_SHOWN
from onepoller.metrics.tally import Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """A verdict, why, and the bots whose framework has stopped calling."""

    is_well: bool
    reason: str
    stalled: tuple[BotId, ...] = ()

    def body(self) -> dict[str, object]:
        """Give what the page says."""
        return {
            "well": self.is_well,
            "reason": self.reason,
            "stalled": len(self.stalled),
            "stalled_bots": list(self.stalled[:PROBLEMS_SHOWN]),
        }


def health(bots: Mapping[BotId, Tally], *, thread_alive: bool) -> Health:
    """Judge the process. A bot that its framework has stopped on purpose does not count."""
    stalled = tuple(bot_id for bot_id, bot in bots.items() if bot.stalled)
    if not thread_alive:
        return Health(is_well=False, reason="the background thread has ended", stalled=stalled)
    wanted = sum(bot.stalled or bot.role is not Role.STOPPED for bot in bots.values())
    if stalled and len(stalled) == wanted:
        return Health(
            is_well=False, reason="no bot of this process calls getUpdates any more", stalled=stalled
        )
    return Health(
        is_well=True, reason=f"{wanted - len(stalled)} of {wanted} bots are called", stalled=stalled
    )


def bot_health(bot_id: BotId, bot: Tally, *, thread_alive: bool) -> Health:
    """Judge one bot of the process."""
    if not thread_alive:
        return Health(is_well=False, reason="the background thread has ended")
    if bot.stalled:
        reason = f"bot {bot_id}: its framework has stopped calling getUpdates"
        return Health(is_well=False, reason=reason, stalled=(bot_id,))
    return Health(is_well=True, reason=f"bot {bot_id}: {bot.role.label}")
