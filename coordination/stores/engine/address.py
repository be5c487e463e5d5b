"""Where a server is, from a URL that may hold a password, which is never shown."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, urlsplit

from onepoller.coordination.errors import SettingsError

PREFIX = "onepoller"
"""Keys, tables and channels begin with it, unless the URL says otherwise."""
_PREFIX = re.compile(r"[a-z][a-z0-9_-]{0,39}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A store's URL, taken apart. Its `repr` holds no password."""

    url: str = field(repr=False)
    """As given."""
    shown: str
    """Without user, password and options: for logs, errors and status."""
    parts: SplitResult = field(repr=False)
    options: Mapping[str, str] = field(repr=False)
    """What stands behind the question mark."""

    @classmethod
    def of(cls, url: str) -> Address:
        """Take a URL apart. Raises SettingsError, which does not repeat it."""
        try:
            parts = urlsplit(url)
            where = parts.netloc.rpartition("@")[2]
            _ = [urlsplit(f"//{one}").port for one in where.split(",")]  # raises where one is no number
            options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        except ValueError:
            raise SettingsError(
                "store: this is no URL: special characters in a password are written as %40 for @, %3A for :"
                " and so on."
            ) from None
        shown = f"{parts.scheme}://{where}{parts.path}"
        return cls(url=url, shown=shown, parts=parts, options=options)

    @property
    def port(self) -> int | None:
        """Of the one server that is named. Raises SettingsError."""
        if "," in self.parts.netloc.rpartition("@")[2]:
            raise SettingsError(f"store: {self.parts.scheme}:// takes one server, not several.")
        return self.parts.port

    @property
    def prefix(self) -> str:
        """What our names on the server begin with: `?prefix=`. Raises SettingsError."""
        prefix = self.options.get("prefix", PREFIX)
        if not _PREFIX.fullmatch(prefix):
            raise SettingsError(
                "store: prefix must be up to 40 of a-z, 0-9, - and _, beginning with a letter,"
                f" not {prefix!r}."
            )
        return prefix

    def check_options(self, known: Collection[str]) -> None:
        """Raise SettingsError where the URL has an option that is not known."""
        unknown = sorted(self.options.keys() - set(known))
        if unknown:
            names = ", ".join(sorted(known))
            raise SettingsError(
                f"store: {self.parts.scheme}:// knows no option {unknown[0]!r}, only {names}."
            )
