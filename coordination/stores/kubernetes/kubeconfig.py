"""Who we are by a kubeconfig: tokens, token files and client certificates. It starts no other program."""

from __future__ import annotations

import base64
import binascii
import os
import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onepoller.coordination.errors import SettingsError, StoreUnfit
from onepoller.coordination.stores.kubernetes.access import Access, Token

HOME = Path(".kube/config")
_NOT_SUPPORTED = {
    "exec": "an exec plugin",
    "auth-provider": "an auth provider",
    "username": "a user name and password",
    "as": "impersonation",
}
_NOT_SUPPORTED_OF_CLUSTERS = {"proxy-url": "a proxy", "tls-server-name": "another TLS server name"}

Entry = Mapping[str, Any]


def files(option: str | None) -> list[Path]:
    """The files to read: the URL's, or $KUBECONFIG's, or the one in the home directory."""
    if option:
        return [Path(option)]
    named = [Path(part) for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return named or [Path.home() / HOME]


def from_kubeconfig(paths: list[Path], *, context: str | None, namespace: str) -> Access:
    """What a context says. Raises SettingsError or StoreUnfit: one sentence, without a secret in it."""
    documents = [document for path in paths if (document := _read(path)) is not None]
    if not documents:
        raise StoreUnfit(
            "store: there is no service account here and no kubeconfig at"
            f" {', '.join(str(path) for path in paths)}: run in a pod, or name one with"
            " kubernetes://NAMESPACE?kubeconfig=PATH."
        )
    wanted = context or next((d["current-context"] for _, d in documents if d.get("current-context")), "")
    if not wanted:
        raise SettingsError("store: the kubeconfig has no current context: add ?context=NAME to the URL.")
    chosen, _ = _named(documents, "contexts", "context", wanted)
    cluster, cluster_dir = _named(documents, "clusters", "cluster", str(chosen.get("cluster", "")))
    user, user_dir = _named(documents, "users", "user", str(chosen.get("user", "")))
    _refuse(user, _NOT_SUPPORTED, f"user of the context {wanted!r}")
    _refuse(cluster, _NOT_SUPPORTED_OF_CLUSTERS, f"cluster of the context {wanted!r}")
    server = str(cluster.get("server", "")).rstrip("/")
    if not server.startswith(("https://", "http://")):
        raise SettingsError(f"store: the context {wanted!r} of the kubeconfig names no server.")
    return Access(
        server=server,
        namespace=namespace or str(chosen.get("namespace") or "default"),
        token=_token(user, user_dir),
        tls=_tls(cluster, cluster_dir, user, user_dir) if server.startswith("https://") else None,
    )


def _read(path: Path) -> tuple[Path, Entry] | None:
    try:
        import yaml  # noqa: PLC0415  # in a pod there is no kubeconfig, and it is not needed
    except ModuleNotFoundError:
        raise StoreUnfit(
            "store: a kubeconfig needs the package yaml: pip install 'onepoller[kubernetes]'"
        ) from None
    try:
        document = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        raise StoreUnfit(f"store: the kubeconfig {path} cannot be read, or is no YAML.") from None
    if not isinstance(document, dict):
        raise StoreUnfit(f"store: {path} is no kubeconfig.")
    return path.parent, document


def _named(documents: list[tuple[Path, Entry]], many: str, one: str, name: str) -> tuple[Entry, Path]:
    """An entry, and the folder that its relative paths begin at; of several files the first that has it."""
    for folder, document in documents:
        for entry in document.get(many) or []:
            if isinstance(entry, dict) and entry.get("name") == name:
                return entry.get(one) or {}, folder
    raise SettingsError(f"store: the kubeconfig has no {one} named {name!r}.")


def _refuse(entry: Entry, unsupported: Mapping[str, str], where: str) -> None:
    for key, what in unsupported.items():
        if entry.get(key):
            raise SettingsError(
                f"store: the {where} of the kubeconfig uses {what}, which onepoller does not support: use the"
                " token of a service account (kubectl create token NAME), or a client certificate."
            )


def _token(user: Entry, folder: Path) -> Token:
    if user.get("tokenFile"):
        token = Token(path=folder / str(user["tokenFile"]))
        token.headers()
        return token
    return Token(str(user.get("token") or ""))


def _tls(cluster: Entry, cluster_dir: Path, user: Entry, user_dir: Path) -> ssl.SSLContext:
    try:
        authority = _pem(cluster, "certificate-authority", cluster_dir)
        tls = ssl.create_default_context(cadata=authority.decode() if authority else None)
        if cluster.get("insecure-skip-tls-verify"):
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE
        certificate, key = _pem(user, "client-certificate", user_dir), _pem(user, "client-key", user_dir)
        if certificate and key:
            _load(tls, certificate, key)
    except (OSError, ValueError):  # ssl.SSLError and binascii.Error are such
        raise StoreUnfit("store: a certificate or key of the kubeconfig cannot be read.") from None
    return tls


def _pem(entry: Entry, key: str, folder: Path) -> bytes:
    data = entry.get(f"{key}-data")
    if data:
        try:
            return base64.b64decode(str(data), validate=True)
        except binascii.Error:
            raise ValueError(key) from None
    return (folder / str(entry[key])).read_bytes() if entry.get(key) else b""


def _load(tls: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Python reads these from a file only: one that is ours alone, and gone at once."""
    with tempfile.NamedTemporaryFile() as file:  # mode 0600
        file.write(certificate + b"\n" + key)
        file.flush()
        tls.load_cert_chain(file.name)
