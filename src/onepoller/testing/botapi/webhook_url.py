"""What the server says about the address of a webhook. Pure: no name is resolved, nothing is connected to."""

import ipaddress
import re
from dataclasses import dataclass

PORTS = frozenset({80, 88, 443, 8443})
_REST = re.compile(r"(?:[^@/?#]*@)?(\[[^\]]*\]|[^:/?#]*)(?::([0-9]*))?([/?#].*)?", re.DOTALL)
_HOST = re.compile(r"[^\x00-\x20\x7f<>\"'`{}|\\^]+")
_LAST_PORT = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookUrl:
    """The parts of an address that matter."""

    scheme: str
    host: str
    port: int


def parse(text: str) -> WebhookUrl | None:
    """Read an address, https if it names no scheme; None if it is invalid."""
    head, colon, tail = text.partition("://")
    scheme, rest = (head.lower(), tail) if colon else ("https", text)
    found = _REST.fullmatch(rest)
    if found is None:
        return None
    host = found[1]
    if scheme not in {"http", "https"} or _HOST.fullmatch(host) is None:
        return None
    default = 443 if scheme == "https" else 80
    port = int(found[2]) if found[2] else default
    return WebhookUrl(scheme=scheme, host=host, port=port) if 0 < port <= _LAST_PORT else None


def objection(url: WebhookUrl, *, ip: str) -> str:
    """Give the reason for which verification fails, or an empty text."""
    if url.scheme != "https":
        return "An HTTPS URL must be provided for webhook"
    if url.port not in PORTS:
        return "Webhook can be set up only on ports 80, 88, 443 or 8443"
    try:
        address = ipaddress.ip_address(ip or url.host.strip("[]"))
    except ValueError:
        return ""  # a name: it would be resolved
    if address.version != 4:
        return "IPv6-only addresses are not allowed"
    return "" if address.is_global else f"IP address {address} is reserved"
