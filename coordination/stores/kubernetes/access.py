"""Where the API server is, and how we say who we are."""

from __future__ import annotations

import os
import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from onepoller.coordination.errors import SettingsError, StoreUnfit
from onepoller.coordination.stores.engine import Address

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds its own account."""
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class Token:
    """A bearer token, or the file that has it, which is read again when it changes."""

    def __init__(self, text: str = "", *, path: Path | None = None) -> None:
        self._text = text
        self._path = path
        self._seen: tuple[int, int] | None = None

    def headers(self) -> dict[str, str]:
        """What each request is sent with. Raises StoreUnfit where the file cannot be read."""
        if self._path is not None:
            self._read(self._path)
        return {"Authorization": f"Bearer {self._text}"} if self._text else {}

    def _read(self, path: Path) -> None:
        try:
            now = os.stat(path)
            if (now.st_mtime_ns, now.st_ino) != self._seen:
                self._text = path.read_text().strip()
                self._seen = (now.st_mtime_ns, now.st_ino)
        except (OSError, UnicodeDecodeError):
            raise StoreUnfit(f"store: the token file {path} cannot be read.") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """An API server, a namespace, and who we are there."""

    server: str
    """Its URL, without a slash at the end."""
    namespace: str
    token: Token = field(default_factory=Token, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    """None: a server without TLS."""


def asked_namespace(address: Address) -> str:
    """The namespace that a URL names; empty where it leaves that to where we are. Raises SettingsError."""
    parts = address.parts
    if parts.path not in {"", "/"} or parts.username is not None or address.port is not None:
        raise SettingsError(
            "store: a URL for Kubernetes is kubernetes://NAMESPACE, or kubernetes:/// for the namespace of"
            " the service account or of the kubeconfig's context."
        )
    if parts.netloc and not _NAMESPACE.fullmatch(parts.netloc):
        raise SettingsError(f"store: {parts.netloc!r} cannot be the name of a namespace.")
    return parts.netloc


def is_in_cluster() -> bool:
    """Whether we run in a pod that has a service account."""
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and (SERVICE_ACCOUNT / "token").exists()


def in_cluster(namespace: str) -> Access:
    """As the pod's own service account. Raises StoreUnfit."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    try:
        tls = ssl.create_default_context(cafile=SERVICE_ACCOUNT / "ca.crt")
        own = (SERVICE_ACCOUNT / "namespace").read_text().strip()
    except (OSError, ssl.SSLError):
        raise StoreUnfit(
            f"store: the service account's ca.crt or namespace in {SERVICE_ACCOUNT} cannot be read: check the"
            " pod's automountServiceAccountToken."
        ) from None
    host = f"[{host}]" if ":" in host else host
    token = Token(path=SERVICE_ACCOUNT / "token")
    token.headers()
    return Access(server=f"https://{host}:{port}", namespace=namespace or own, token=token, tls=tls)
