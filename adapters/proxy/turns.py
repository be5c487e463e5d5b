"""Which of the clients at one proxy has the turn to poll a bot. Pure: time comes in as an argument.

One has it. It keeps it while its polls follow each other within the stall limit, which depends on how the
last one ended (`coordination.stall`), and loses it at once when its connection breaks inside a poll, when it
closes an idle connection, or when Telegram refuses its token. The others wait.

A client is known by its connection; where it comes over another one, by an offset that continues what was
last delivered to it. One that closes its connections between polls is found out when it comes back so: until
it comes twice over the same one, a closed connection says nothing, and only the stall limit does.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from onepoller.coordination import stall
from onepoller.coordination.identity import BotId
from onepoller.coordination.settings import Settings

NEVER = float("inf")


class Client(Protocol):
    """A client's connection; the same object for all its requests."""

    bots: tuple[BotId, ...]
    """The bots that were polled over it."""

    def end_request(self) -> None:
        """Cancel what is being answered, and close."""
        ...


class Seat(Enum):
    """What a client that asks gets."""

    TAKEN = auto()
    """The turn."""
    TAKEN_OVER = auto()
    """The turn, and the poll that is open on its former connection is to be ended."""
    WAITS = auto()


@dataclass(slots=True)
class Turn:
    """The turn of one bot at one proxy."""

    client: Client | None = None
    """The connection that has it; None: it is free, or its client is between two connections."""
    is_polling: bool = False
    is_away: bool = False
    """Its client has closed its connection, as it does between polls, and is expected back."""
    closes: bool = False
    """Its client closes its connections between polls."""
    offset: int = 0
    """What its client's last poll asked for."""
    continues: int | None = None
    """What its client's next poll asks for after what was delivered to it; None: nothing was."""
    silence: stall.Silence | None = None
    longest_pause: float = 0.0

    @property
    def is_free(self) -> bool:
        """Whether anybody may have it."""
        return self.client is None and not self.is_away

    @property
    def has_delivered(self) -> bool:
        """Whether the client that has the turn was given updates."""
        return self.continues is not None

    def ask(self, client: Client, *, offset: int, timeout: float, now: float, settings: Settings) -> Seat:
        """A client wants to poll."""
        if client is self.client or self.is_free:
            self._begin(client, offset, now, is_new=client is not self.client and not self._continued(offset))
            return Seat.TAKEN
        if self.is_polling:
            # Only who was given updates is known for certain; and a confirm on the way out evicts nobody.
            if timeout == 0 or offset != self.continues:
                return Seat.WAITS
            self._begin(client, offset, now, is_new=False)
            return Seat.TAKEN_OVER
        is_known = self._continued(offset)
        if is_known or now >= self.free_at(settings):
            self._begin(client, offset, now, is_new=not is_known)
            return Seat.TAKEN
        return Seat.WAITS

    def free_at(self, settings: Settings) -> float:
        """When the turn may be taken from a silent client."""
        if self.is_free:
            return 0.0
        if self.silence is None:
            return NEVER
        longest = self.longest_pause
        return self.silence.since + stall.limit(
            self.silence, settings, caller_alive=True, longest_pause=longest
        )

    def ended(self, client: Client, how: stall.CallEnd, *, now: float, retry_after: float = 0.0) -> None:
        """The poll of this client has ended; if it still has the turn, it is silent from now on."""
        if client is not self.client:
            return
        self.is_polling = False
        self.silence = stall.Silence(since=now, after=how, retry_after=retry_after)

    def delivered(self, client: Client, last_id: int) -> None:
        """This client is given updates up to this one."""
        if client is self.client:
            self.continues = last_id + 1

    def refused(self, client: Client) -> None:
        """Telegram does not know this client's token: another client's may be the new one."""
        if client is self.client:
            self._leave()

    def closed(self, client: Client) -> None:
        """A connection has closed."""
        if client is not self.client:
            return
        if self.closes and not self.is_polling:
            self.client = None
            self.is_away = True
        else:
            self._leave()

    def _continued(self, offset: int) -> bool:
        """Whether a poll with this offset is the next one of the client that was last here."""
        if self.continues is not None:
            return offset == self.continues
        return self.silence is not None and offset == self.offset

    def _begin(self, client: Client, offset: int, now: float, *, is_new: bool) -> None:
        if is_new:
            self.closes = False
            self.continues = None
            self.longest_pause = 0.0
        elif self.silence is not None:
            self.longest_pause = max(self.longest_pause, self._pause(now))
            self.closes = self.client is None
        self.client = client
        self.is_away = False
        self.is_polling = True
        self.offset = offset
        self.silence = None

    def _pause(self, now: float) -> float:
        silence = self.silence
        return now - silence.since if silence and silence.after is stall.CallEnd.EMPTY else 0.0

    def _leave(self) -> None:
        """Nobody has it. Who was here last is remembered: it may come back."""
        if self.is_polling:
            self.silence = None
        self.client = None
        self.is_polling = False
        self.is_away = False
