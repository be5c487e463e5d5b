"""Where the members of a cluster are, and what they are shown: certificates, a user and a password."""

from __future__ import annotations

import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from onepoller.coordination.errors import SettingsError, StoreUnfit
from onepoller.coordination.stores.engine import Address

PORT = 2379
_FILES = ("ca", "cert", "key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Members of one cluster; its `repr` holds no password."""

    urls: Sequence[str]
    """`http://HOST:PORT` of each."""
    shown: str
    """For people."""
    tls: ssl.SSLContext | None = field(repr=False)
    user: str = field(repr=False)
    password: str = field(repr=False)

    @classmethod
    def of(cls, address: Address) -> Endpoints:
        """Those of a URL. Raises SettingsError or StoreUnfit."""
        parts = address.parts
        is_secure = parts.scheme == "etcds"
        address.check_options({"prefix", *_FILES} if is_secure else {"prefix"})
        if parts.path not in ("", "/"):
            raise SettingsError(
                f"store: {parts.scheme}:// takes hosts and no path: {parts.scheme}://HOST:{PORT}?prefix=NAME."
            )
        login, _, where = parts.netloc.rpartition("@")
        user, _, password = login.partition(":")
        if login and not (user and password):
            raise SettingsError(f"store: user and password go together: {parts.scheme}://USER:PASSWORD@HOST.")
        return cls(
            urls=[_url(one, "https" if is_secure else "http") for one in where.split(",")],
            shown=address.shown,
            tls=_context(address) if is_secure else None,
            user=unquote(user),
            password=unquote(password),
        )


def _url(where: str, scheme: str) -> str:
    parts = urlsplit(f"//{where}")
    if not parts.hostname:
        raise SettingsError(f"store: a host is missing: etcd://HOST:{PORT}[,HOST:{PORT}...].")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{scheme}://{host}:{parts.port or PORT}"


def _context(address: Address) -> ssl.SSLContext:
    """What TLS needs: our own authority (`ca`), and a certificate of ours with its key (`cert`, `key`)."""
    files = {name: address.options.get(name, "") for name in _FILES}
    for name, path in files.items():
        if path and not os.access(path, os.R_OK):
            raise StoreUnfit(f"store: {name}={path} cannot be read.")
    if bool(files["cert"]) != bool(files["key"]):
        raise SettingsError("store: cert= and key= go together: a certificate and its private key.")
    try:
        context = ssl.create_default_context(cafile=files["ca"] or None)
        if files["cert"]:
            context.load_cert_chain(files["cert"], files["key"], password=_no_password)
    except (OSError, ValueError):
        raise StoreUnfit(
            "store: ca=, cert= and key= must be PEM files, the key one that needs no password and fits cert."
        ) from None
    return context


def _no_password() -> str:
    """Nobody is asked at a terminal."""
    return ""
