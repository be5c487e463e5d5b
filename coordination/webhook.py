"""Start-up calls that would remove somebody's webhook: what is answered, sent, or refused. Pure.

Frameworks call deleteWebhook when polling starts, some with drop_pending_updates. Such a call never waits: a
bootstrap that hangs is no standby (design, section 7).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from urllib.parse import urlsplit

from onepoller.coordination.settings import OnWebhook

DELETIONS = 3
"""With `on_webhook="delete"` so many webhooks of somebody else's go within an hour, per bot and process."""
AN_HOUR = 3600.0


class Deletions:
    """When this process had webhooks of one bot deleted that somebody else had set."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._at: list[float] = []

    def spend(self) -> bool:
        """Count one more; False where there were too many within the last hour."""
        now = self._clock()
        self._at = [at for at in self._at if now - at < AN_HOUR]
        if len(self._at) >= DELETIONS:
            return False
        self._at.append(now)
        return True


class Verdict(Enum):
    """What to do with a guarded deleteWebhook."""

    ANSWER = auto()
    """There is no webhook: answer as done, send nothing."""
    ANSWER_UNDROPPED = auto()
    """The same, and pending updates are *not* dropped: a living peer is there to handle them."""
    SEND = auto()
    SEND_UNDROPPED = auto()
    """Delete the webhook, and leave the pending updates to the peer."""
    REFUSE = auto()


def judge(*, url: str, drop: bool, has_peer: bool, policy: OnWebhook) -> Verdict:
    """What to do with a deleteWebhook.

    `url`: of the webhook that is set now, or empty. `drop`: drop_pending_updates was asked for; that means
    "what came before I was started", so it is done only by an instance that finds no living peer.
    """
    if url and policy is OnWebhook.REFUSE:
        return Verdict.REFUSE
    if url:
        return Verdict.SEND_UNDROPPED if drop and has_peer else Verdict.SEND
    if not drop:
        return Verdict.ANSWER
    return Verdict.ANSWER_UNDROPPED if has_peer else Verdict.SEND


def host_of(url: str) -> str:
    """The host of a webhook's URL: its path often holds a secret, so nothing else is ever shown."""
    if not url:
        return ""
    try:
        return urlsplit(url if "//" in url else f"https://{url}").hostname or "an unknown host"
    except ValueError:
        return "an unknown host"
