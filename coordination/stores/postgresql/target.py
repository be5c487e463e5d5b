"""Which server, database and mode a URL means, ready for the client."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlencode

from onepoller.coordination.errors import SettingsError
from onepoller.coordination.stores.engine import Address

_OURS = ("prefix", "mode")
_FILES = ("sslrootcert", "sslcert", "sslkey")
_TLS = ("sslmode", *_FILES)
_TLS_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_OPTIONS = (*_OURS, *_TLS, "host")
MODES = ("connection", "pooler")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where to connect, and how. Its `repr` holds no password."""

    shown: str
    lease: float
    is_pooled: bool
    is_trusted: bool
    """Whether a connection's end counts as its process's, whatever lies between: `mode=connection`."""
    arguments: dict[str, Any] = field(repr=False)
    """What the client's `connect` takes."""

    @classmethod
    def of(cls, address: Address, *, lease: float) -> Target:
        """Check a URL. Raises SettingsError."""
        address.check_options(_OPTIONS)
        mode = address.options.get("mode")
        if mode not in (None, *MODES):
            raise SettingsError(f"store: mode must be connection or pooler, not {mode!r}.")
        _check_tls(address.options)
        parts = address.parts
        socket_or_host = address.options.get("host") or parts.hostname
        arguments: dict[str, Any] = {
            "host": socket_or_host or None,
            "port": address.port,
            "user": unquote(parts.username) if parts.username else None,
            "password": unquote(parts.password) if parts.password else None,
            "database": unquote(parts.path[1:]) or None,
        }
        tls = {name: address.options[name] for name in _TLS if name in address.options}
        if tls:
            # The client takes these in a URL only; what is given beside it wins over the URL.
            arguments["dsn"] = f"postgresql:///?{urlencode(tls)}"
        return cls(
            shown=address.shown,
            lease=lease,
            is_pooled=mode == "pooler",
            is_trusted=mode == "connection",
            arguments=arguments,
        )


def _check_tls(options: Mapping[str, str]) -> None:
    mode = options.get("sslmode", "prefer")
    if mode not in _TLS_MODES:
        raise SettingsError(f"store: sslmode must be one of {', '.join(_TLS_MODES)}, not {mode!r}.")
    for name in _FILES:
        if name in options and not os.access(options[name], os.R_OK):
            raise SettingsError(f"store: {name} names no file that can be read: {options[name]}.")
