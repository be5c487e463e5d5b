"""What a redis:// URL says about where the server is, checked without connecting."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote

from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection

from onepoller.coordination.errors import SettingsError
from onepoller.coordination.stores.engine import Address

_PORT = 6379
_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 3, "TCP_KEEPCNT": 3}
"""A subscription on which nothing is said notices by these that its server is gone, seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How to connect. Its `repr` holds no password."""

    shown: str
    kind: Callable[..., Connection | UnixDomainSocketConnection] = field(repr=False)
    options: dict[str, Any] = field(repr=False)

    @classmethod
    def of(cls, address: Address) -> Place:
        """Take the address apart. Raises SettingsError."""
        parts = address.parts
        options: dict[str, Any] = {
            "username": unquote(parts.username or "") or None,
            "password": unquote(parts.password or "") or None,
            "protocol": 2,
            "socket_timeout": None,
            "socket_connect_timeout": None,
        }
        if parts.scheme == "unix":
            address.check_options({"prefix", "db"})
            if parts.hostname or not parts.path.strip("/"):
                raise SettingsError("store: a socket is unix:///PATH, with three slashes")
            options |= {"path": unquote(parts.path), "db": _database(address.options.get("db", "0"))}
            return cls(shown=address.shown, kind=UnixDomainSocketConnection, options=options)
        address.check_options({"prefix"})
        if not parts.hostname:
            raise SettingsError(f"store: the URL names no server: {parts.scheme}://HOST:{_PORT}/0")
        options |= {
            "host": parts.hostname,
            "port": address.port or _PORT,
            "db": _database(parts.path.strip("/") or "0"),
            "socket_keepalive": True,
            "socket_keepalive_options": {
                getattr(socket, name): value for name, value in _KEEPALIVE.items() if hasattr(socket, name)
            },
        }
        if parts.scheme == "rediss":  # older clients do not compare the name unless told to
            return cls(
                shown=address.shown, kind=SSLConnection, options=options | {"ssl_check_hostname": True}
            )
        return cls(shown=address.shown, kind=Connection, options=options)

    def at(self, host: str, port: int) -> Place:
        """The same on another node of its cluster."""
        return replace(self, options=self.options | {"host": host or self.options["host"], "port": port})

    def connection(self) -> Connection | UnixDomainSocketConnection:
        """A connection that is not open yet."""
        return self.kind(**self.options)


def _database(text: str) -> int:
    if not text.isdecimal():
        raise SettingsError(
            f"store: a Redis database is a number, as in redis://HOST:{_PORT}/0, not {text!r}."
        )
    return int(text)
