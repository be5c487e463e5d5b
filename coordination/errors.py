"""What onepoller raises, split by what the caller can do next.

    OnepollerError
    +-- SetupError            fix the set-up: the sentence says what to change
    |   +-- SettingsError     a setting, or a relation between two, makes no sense
    |   +-- StoreUnfit        the store cannot be used as it is: directory, file system, rights, platform
    +-- StoreUnavailable      wait: the store does not answer now; it is tried again
    |   +-- StoreFull         no space left; holders go on, changes wait
    |   +-- StoreBusy         another process has been inside a write for too long
    +-- SessionOver           the session has ended; its process opens a new one

Facts are attributes; the text is built from them. No text ever holds a token.
"""

from __future__ import annotations


class OnepollerError(Exception):
    """The root of everything that onepoller raises by itself."""


class SetupError(OnepollerError):
    """Something that the person who runs the program has to change."""


class SettingsError(SetupError):
    """A setting is out of range or contradicts another one."""


class StoreUnfit(SetupError):
    """The named store cannot hold claims: unfit file system, rights, platform or extra."""


class StoreUnavailable(OnepollerError):
    """The store does not answer now. Nothing was written; it is tried again."""


class StoreFull(StoreUnavailable):
    """The store has no space left. Holders keep their claims, changes wait."""


class StoreBusy(StoreUnavailable):
    """Another process stays inside a write. `pid` names it where it could be found."""

    def __init__(self, text: str, *, pid: int | None = None) -> None:
        super().__init__(text, pid)
        self.pid = pid

    def __str__(self) -> str:
        return str(self.args[0])


class SessionOver(OnepollerError):
    """The session is over (ended by another, or its file or database was replaced); it never comes back."""
