"""The settings of one process, checked where they are made. Durations are seconds.

What goes wrong when a value is off stands at the value. Arguments win over `ONEPOLLER_*` variables.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Self

from onepoller.coordination.errors import SettingsError


class StartMode(StrEnum):
    """What an instance asks of a living holder when it starts."""

    STANDBY = "standby"
    """Nothing: it waits."""
    TAKEOVER = "takeover"
    """To hand over."""
    REPLACE = "replace"
    """To hand over; it is fenced out, and ended where asked, if it does not."""


class OnRival(StrEnum):
    """What to do when somebody outside our store polls."""

    AUTO = "auto"
    """The incumbent holds, the newcomer yields."""
    HOLD = "hold"
    """Never yield."""
    YIELD = "yield"
    """Stand by until the rival is gone."""
    EXIT = "exit"
    """End the process with exit code 75."""


class OnStoreLoss(StrEnum):
    """What a holder does once its deadline has come and its store, a server, does not answer."""

    STOP = "stop"
    """Stand by until the store answers."""
    HOLD = "hold"
    """Poll on until a 409 or a look shows another poller."""


class OnWebhook(StrEnum):
    """What to do with a start-up call that would delete a webhook which somebody else has set."""

    REFUSE = "refuse"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How an instance behaves. Raises SettingsError where a value or a relation makes no sense."""

    label: str = ""
    priority: int = 0
    """Orders the queue of standbys, higher first; it never pushes a living holder out."""
    lease: float = 10.0
    """How long a session may be silent. Too short: a starved machine loses its claims; too long: a frozen
    process keeps its bots deaf for so long."""
    start: StartMode = StartMode.STANDBY
    replace_after: float = 15.0
    """`replace`: how long the holder has to hand over before it is fenced out by the next term."""
    kill_after: float | None = None
    """`replace`, same host: how long the holder has before it is sent SIGTERM, and SIGKILL later."""
    standby: bool = True
    """False: end with exit code 75 where another instance polls, instead of waiting for it."""
    on_rival: OnRival = OnRival.AUTO
    on_webhook: OnWebhook = OnWebhook.REFUSE
    on_store_loss: OnStoreLoss = OnStoreLoss.STOP
    """`hold`: while the store is away nobody is deaf, and two may poll for a moment."""
    drain_timeout: float = 10.0
    """A handover waits so long for the offset of a batch that the framework has and has not acknowledged."""
    stall_limit: float = 20.0
    """No call for so long after an empty answer: the poll loop is taken for dead."""
    error_limit: float = 90.0
    """The same after an error; frameworks sleep up to 60 s then."""
    handler_limit: float = 900.0
    """The same for a caller that handles a batch before it polls again, while its task or thread lives."""
    pass_after: float = 60.0
    """A holder whose calls have only failed for so long passes the claim to a waiting peer."""
    webhook_watch: float = 5.0
    """While a webhook blocks: how often getWebhookInfo is asked."""

    def __post_init__(self) -> None:
        """Check ranges and relations."""
        for name, low in _AT_LEAST.items():
            value = getattr(self, name)
            if value is not None and not value >= low:  # nan is neither
                raise SettingsError(f"{name} must be at least {low:g} seconds, not {value:g}")
        if self.kill_after is not None and self.start is not StartMode.REPLACE:
            raise SettingsError("kill_after needs start='replace': nothing else may end a process")
        if "\n" in self.label or len(self.label) > _LONGEST_LABEL:
            raise SettingsError(f"label must be one line of at most {_LONGEST_LABEL} characters")

    @property
    def beat_every(self) -> float:
        """Three beats a lease: two may be lost."""
        return self.lease / 3

    @property
    def end_ahead(self) -> float:
        """So long before its session's deadline an open poll is ended: by then its connection is closed."""
        return min(0.5, self.lease / 10)

    @classmethod
    def parse(cls, given: dict[str, Any]) -> Self:
        """Settings from arguments and texts (environment); None means "not given".

        Raises SettingsError naming the setting, the value and what is allowed.
        """
        known = {f.name: f for f in fields(cls)}
        return cls(**{n: _parsed(n, str(known[n].type), v) for n, v in given.items() if v is not None})


_LONGEST_LABEL = 64
_AT_LEAST = {
    "lease": 1.0,
    "replace_after": 0.0,
    "kill_after": 0.0,
    "drain_timeout": 0.0,
    "stall_limit": 1.0,
    "error_limit": 1.0,
    "handler_limit": 1.0,
    "pass_after": 1.0,
    "webhook_watch": 0.5,
}
_ENUMS: dict[str, type[StrEnum]] = {
    "StartMode": StartMode,
    "OnRival": OnRival,
    "OnWebhook": OnWebhook,
    "OnStoreLoss": OnStoreLoss,
}
_FLAGS = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


def parsed_flag(name: str, value: bool | str) -> bool:  # noqa: FBT001  # it is the value
    """A yes or no from an argument or an environment variable."""
    if isinstance(value, bool):
        return value
    flag = _FLAGS.get(value.strip().lower())
    if flag is None:
        raise SettingsError(f"{name} must be yes or no, not {value!r}")
    return flag


def _parsed(name: str, kind: str, value: Any) -> Any:
    enum = _ENUMS.get(kind)
    if enum is not None:
        try:
            return enum(str(value).strip().lower())
        except ValueError:
            choices = ", ".join(repr(str(choice)) for choice in enum)
            raise SettingsError(f"{name} must be one of {choices}, not {value!r}") from None
    if kind == "bool":
        return parsed_flag(name, value)
    if kind == "str":
        return str(value)
    number = int if kind == "int" else float
    try:
        return number(value)
    except (TypeError, ValueError):
        raise SettingsError(f"{name} must be a number, not {value!r}") from None
