"""A certificate authority of a test, and what it signs: by the openssl program."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path


class Authority:
    """Its certificate is `ca`; what it signs lies beside it."""

    def __init__(self, openssl: Path, folder: Path) -> None:
        self._openssl = openssl
        self._folder = folder
        self.ca = folder / "ca.crt"
        self._run(
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test authority"),
            *("-keyout", "ca.key", "-out", "ca.crt"),
        )

    def sign(self, name: str) -> tuple[Path, Path]:
        """Certificate and key of somebody, or of a server on this machine."""
        self._run(
            *("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}"),
            *("-keyout", f"{name}.key", "-out", f"{name}.csr"),
        )
        (self._folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
        self._run(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"),
            *("-days", "2", "-extfile", "names", "-out", f"{name}.crt"),
        )
        return self._folder / f"{name}.crt", self._folder / f"{name}.key"

    def server_context(self, *, wants_clients: bool = False) -> ssl.SSLContext:
        """What a server on this machine serves with; it may want a certificate of each client."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.ca)
        context.load_cert_chain(*self.sign("server"))
        context.verify_mode = ssl.CERT_REQUIRED if wants_clients else ssl.CERT_NONE
        return context

    def _run(self, *arguments: str) -> None:
        subprocess.run([self._openssl, *arguments], cwd=self._folder, check=True, capture_output=True)
