"""What an administrator does at an etcd, and what the tests of its store do again and again."""

from __future__ import annotations

import re
import subprocess
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import httpx

from onepoller.coordination.identity import BotId, Identity, SessionId, Term, own_identity
from onepoller.coordination.stores.engine import Address
from onepoller.coordination.stores.etcd import EtcdStore
from onepoller.coordination.stores.etcd.endpoints import Endpoints
from onepoller.coordination.stores.seam import Batch, Claim, Session, Swap
from tests.e2e.engines.servers import Etcd

_HANDLED = re.compile(r'grpc_server_handled_total\{grpc_code="\w+",grpc_method="(\w+)".*\} (\d+)')


def on(
    server: Etcd, prefix: str, *, lease: float = 1.0, login: str = "", slow_look: float = 1.0
) -> EtcdStore:
    """A store there, as of another process."""
    endpoints = Endpoints.of(Address.of(server.url.replace("://", f"://{login}@" if login else "://")))
    return EtcdStore(endpoints, prefix=prefix, lease=lease, slow_look=slow_look)


def me() -> Identity:
    """Whoever runs the test."""
    return own_identity(label="test")


def take(bots: list[BotId], session: Session) -> Batch:
    """Take claims that were never written."""
    return Batch(swaps=[Swap(claim=Claim(bot_id=bot_id, holder=session.id, term=Term(1))) for bot_id in bots])


def take_over(claims: list[Claim], session: Session, dead: SessionId) -> Batch:
    """Take claims of a session that is over."""
    return Batch(
        swaps=[
            Swap(
                claim=Claim(
                    bot_id=claim.bot_id,
                    version=claim.version,
                    holder=session.id,
                    term=Term(claim.term + 1),
                ),
                requires_over=dead,
            )
            for claim in claims
        ]
    )


def call(server: Etcd, path: str, *, token: str = "", **body: Any) -> dict[str, Any]:
    """Ask the gateway, without a user or with a token of one."""
    reply = httpx.post(
        f"http://127.0.0.1:{server.port}/v3/{path}",
        json=body,
        headers={"Authorization": token} if token else {},
        trust_env=False,
    )
    answer: dict[str, Any] = reply.raise_for_status().json()
    return answer


def under(prefix: str) -> dict[str, str]:
    """The range of everything under a prefix."""
    return {
        "key": b64encode(f"{prefix}/".encode()).decode(),
        "range_end": b64encode(f"{prefix}0".encode()).decode(),
    }


def delete_all(server: Etcd, prefix: str) -> None:
    """What `etcdctl del --prefix` does."""
    call(server, "kv/deleterange", **under(prefix))


def count(server: Etcd, prefix: str) -> int:
    """How many keys there are."""
    return int(call(server, "kv/range", **under(prefix), count_only=True).get("count", 0))


def values(server: Etcd, prefix: str) -> list[bytes]:
    """What lies in them."""
    return [b64decode(kv.get("value", "")) for kv in call(server, "kv/range", **under(prefix)).get("kvs", ())]


def commands(server: Etcd) -> dict[str, int]:
    """How many calls of each kind the server has answered, streams by their messages left out."""
    text = httpx.get(f"http://127.0.0.1:{server.port}/metrics", trust_env=False).text
    found: dict[str, int] = {}
    for method, number in _HANDLED.findall(text):
        found[method] = found.get(method, 0) + int(number)
    return found


def more(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """What was asked in between."""
    return {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}


def grant_users(server: Etcd, prefix: str) -> None:
    """Switch users on: `bots` may write under the prefix, `guest` nowhere."""
    for name, password in {"root": "r00t", "bots": "s3cr3t@x", "guest": "gu3st"}.items():
        call(server, "auth/user/add", name=name, password=password)
    for name in ("root", "bots"):
        call(server, "auth/role/add", name=name)
        call(server, "auth/user/grant", user=name, role=name)
    call(server, "auth/role/grant", name="bots", perm={"permType": "READWRITE", **under(prefix)})
    call(server, "auth/enable")


def set_password(server: Etcd, user: str, password: str) -> None:
    """As root. What was logged in with the old one, if only it is the same, is logged in no more."""
    token = call(server, "auth/authenticate", name="root", password="r00t")["token"]
    call(server, "auth/user/changepw", token=token, name=user, password=password)


def certificates(openssl: Path, folder: Path) -> None:
    """An authority, and certificates for this machine and for a client, as files."""

    def run(*words: str) -> None:
        subprocess.run([str(openssl), *words], cwd=folder, check=True, capture_output=True)

    run(
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=authority",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
    )
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    for name in ("server", "client"):
        run(
            "req",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            f"/CN={name}",
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.csr",
        )
        run(
            "x509",
            "-req",
            "-in",
            f"{name}.csr",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            "2",
            "-extfile",
            "names",
            "-out",
            f"{name}.pem",
        )
