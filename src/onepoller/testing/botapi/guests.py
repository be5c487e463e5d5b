"""Who calls from inside the fake: rivals that poll, foreign programs that set webhooks, a source of messages.

They go through the same door as every other call, so the server's rules apply to them, and their rows stand
in the journal under their own names. Their connections have negative numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from onepoller.testing.botapi.call import Call
from onepoller.testing.botapi.journal import Row
from onepoller.testing.botapi.rivals import BEHAVIOURS, Behaviour, Rival
from onepoller.testing.botapi.timers import Timer

if TYPE_CHECKING:
    from onepoller.testing.botapi.api import BotApi

FOREIGN_WEBHOOK = "foreign webhook"


@dataclass(slots=True, kw_only=True)
class Seat:
    """A rival at work."""

    name: str
    bot_id: int
    rival: Rival
    connection: int = 0
    timer: Timer | None = None


@dataclass(slots=True, kw_only=True)
class Source:
    """A stream of numbered updates."""

    bot_id: int
    kind: str
    every: float
    left: int
    push: Callable[[float], object] = field(repr=False)
    timer: Timer | None = None


class Guests:
    """The rivals, the foreign programs and the sources of one fake."""

    def __init__(self, api: "BotApi", seed: int) -> None:
        self._api = api
        self._random = Random(seed)
        self._last_connection = 0
        self._by_name: dict[str, Seat] = {}
        self._by_connection: dict[int, Seat] = {}
        self._sources: list[Source] = []

    def start_rival(
        self, bot_id: int, behaviour: str | Behaviour, *, now: float, name: str = "", after: float = 0.0
    ) -> str:
        """Have a foreign poller poll a bot, `after` seconds from now. Gives its name, which must be new.

        Raises:
            ValueError: the name is taken, or there is no such behaviour.

        """
        name = name or f"rival-{len(self._by_name) + 1}"
        if name in self._by_name:
            raise ValueError(f"There is a rival {name!r} already.")
        if isinstance(behaviour, str):
            if behaviour not in BEHAVIOURS:
                raise ValueError(f"No rival behaves like {behaviour!r}; known: {', '.join(BEHAVIOURS)}.")
            behaviour = BEHAVIOURS[behaviour]
        seat = Seat(name=name, bot_id=bot_id, rival=Rival(behaviour, self._random))
        self._by_name[name] = seat
        self._poll_later(seat, now + after)
        return name

    def stop_rival(self, name: str, *, now: float) -> bool:
        """End a rival as if it were killed: its parked poll stays. False if there is none."""
        self._api.timers.run(now)
        seat = self._by_name.pop(name, None)
        if seat is None:
            return False
        if seat.timer is not None:
            seat.timer.cancel()
        if self._by_connection.pop(seat.connection, None) is not None:
            self._api.closed(seat.connection, now)
        return True

    def set_webhook(self, bot_id: int, url: str, *, now: float) -> None:
        """Have a foreign program set a webhook, or delete it if the url is empty."""
        self._api.timers.run(now)
        method = "setWebhook" if url else "deleteWebhook"
        self._call(bot_id, method, {"url": url}, FOREIGN_WEBHOOK, now)

    def start_source(
        self, bot_id: int, *, every: float, count: int, now: float, kind: str = "message"
    ) -> None:
        """Push one update now and then one every so many seconds, `count` in all."""
        api = self._api
        source = Source(
            bot_id=bot_id,
            kind=kind,
            every=every,
            left=count,
            push=lambda at: api.push(bot_id, now=at, kind=kind),
        )
        self._sources.append(source)
        self._flow(source, now)

    def stop_sources(self, bot_id: int) -> None:
        """End the streams of a bot."""
        for source in [source for source in self._sources if source.bot_id == bot_id]:
            self._sources.remove(source)
            if source.timer is not None:
                source.timer.cancel()

    def answered(self, call: Call, row: Row, now: float) -> None:
        """Hand an answer to the guest that called."""
        seat = self._by_connection.pop(call.connection, None)
        if seat is not None:
            pause = seat.rival.answered(status=row.status or 0, update_ids=row.update_ids)
            self._poll_later(seat, now + pause)

    def _poll_later(self, seat: Seat, at: float) -> None:
        seat.timer = self._api.timers.at(at, lambda moment: self._poll(seat, moment))

    def _poll(self, seat: Seat, now: float) -> None:
        seat.connection = self._next_connection()
        self._by_connection[seat.connection] = seat
        self._call(
            seat.bot_id, "getUpdates", seat.rival.arguments(), seat.name, now, connection=seat.connection
        )

    def _call(
        self,
        bot_id: int,
        method: str,
        arguments: dict[str, str],
        poller: str,
        now: float,
        *,
        connection: int = 0,
    ) -> None:
        call = Call(
            connection=connection or self._next_connection(),
            token=self._api.registry.token_of(bot_id),
            method=method,
            arguments=arguments,
            poller=poller,
        )
        self._api.receive(call, now)

    def _next_connection(self) -> int:
        self._last_connection -= 1
        return self._last_connection

    def _flow(self, source: Source, now: float) -> None:
        source.push(now)
        source.left -= 1
        if source.left > 0:
            source.timer = self._api.timers.at(now + source.every, lambda at: self._flow(source, at))
        else:
            self._sources.remove(source)
