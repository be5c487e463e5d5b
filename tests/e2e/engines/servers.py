"""Real servers, each started on a free port in a directory of its own, and ended with all of their processes.

They can be frozen and killed as a whole, and started again on what they had written.
"""

from __future__ import annotations

import abc
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Self

import psutil

STARTING = 30.0
"""Seconds. Wide: the machine may be busy."""
LOOK_EVERY = 0.05
Require = Callable[[str], Path]
"""`tests.conftest.require_program`."""


class Server(abc.ABC):
    """A server's process."""

    program: ClassVar[str]
    """What is looked for in the path."""
    gently: ClassVar[signal.Signals] = signal.SIGTERM
    """What ends it in good order."""

    def __init__(self, found: Path, folder: Path) -> None:
        self.port = free_port()
        self.folder = folder
        self._found = found
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._prepare()

    @property
    @abc.abstractmethod
    def url(self) -> str:
        """What `store=` takes, without options."""

    def url_at(self, port: int) -> str:
        """The same for whoever reaches it at another port of this machine: a proxy's."""
        return self.url.replace(f":{self.port}", f":{port}")

    def close(self) -> None:
        """End it for good."""
        self.kill()

    def _prepare(self) -> None:  # noqa: B027  # not every server needs it
        """What is done once, before the first start."""

    @abc.abstractmethod
    def _command(self) -> list[str]:
        """What starts it."""

    def program_beside(self, name: str) -> str:
        """Another program of the same package."""
        return str(self._found.resolve().parent / name)

    @property
    def pid(self) -> int:
        """Of its main process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> Self:
        """Start it, again after `stop` or `kill`; returns when it takes connections."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(), stdout=log, stderr=log, cwd=self.folder, start_new_session=True
            )
        deadline = time.monotonic() + STARTING
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{self.program} did not start:\n{self.log()}")
            time.sleep(LOOK_EVERY)
        return self

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False

    def log(self) -> str:
        """What it said so far."""
        return (self.folder / "log").read_text(errors="replace")

    def freeze(self) -> None:
        """SIGSTOP to all of it."""
        for process in self._all():
            with suppress(psutil.NoSuchProcess):  # a child may end meanwhile
                process.suspend()

    def thaw(self) -> None:
        """SIGCONT."""
        for process in self._all():
            with suppress(psutil.NoSuchProcess):  # a child may end meanwhile
                process.resume()

    def stop(self) -> None:
        """End it as an administrator does; what it has to keep is kept."""
        if self._process is not None:
            self._process.send_signal(self.gently)
            self._process.wait(STARTING)
            self._process = None

    def kill(self) -> None:
        """End all of it at once."""
        if self._process is not None:
            gone = self._all()
            for process in gone:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(gone, STARTING)
            self._process.wait(STARTING)
            self._process = None

    def _all(self) -> list[psutil.Process]:
        """The main process first: when it stands still it starts no more."""
        try:
            main = psutil.Process(self.pid)
            return [main, *main.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


OwnServer = Callable[[type[Server]], Server]
"""Makes a server of the test's own."""


class Redis(Server):
    """A Redis that keeps nothing on disk, or (`keeps=True`) every write."""

    program = "redis-server"

    def __init__(self, found: Path, folder: Path, *, keeps: bool = False, more: tuple[str, ...] = ()) -> None:
        self._more = ("--appendonly", "yes" if keeps else "no", *more)
        super().__init__(found, folder)

    @property
    def url(self) -> str:
        """Database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    def _command(self) -> list[str]:
        where = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        return [str(self._found), *where, "--save", "", *self._more]


class PostgreSQL(Server):
    """A PostgreSQL with one superuser, `postgres`, who needs no password. It refuses to run as root."""

    program = "postgres"
    gently = signal.SIGINT  # to SIGTERM it waits for its clients

    @property
    def url(self) -> str:
        """The database that every server has."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def _prepare(self) -> None:
        self._found = self._found.resolve()  # its other programs lie beside it
        if os.geteuid() == 0:
            self.folder = folder_of_postgres(self)
        initdb = [str(self._found.parent / "initdb"), "-D", "data", "-A", "trust", "-U", "postgres", "-N"]
        subprocess.run(as_postgres(initdb), cwd=self.folder, check=True, capture_output=True)

    def _command(self) -> list[str]:
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.folder),
            "fsync": "off",
            "max_connections": 200,
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return as_postgres([str(self._found), "-D", "data", *options])

    def _answers(self) -> bool:
        ready = [str(self._found.parent / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(ready, check=False).returncode == 0


class PgBouncer(Server):
    """A pooler in transaction mode before a PostgreSQL; it refuses to run as root, too."""

    program = "pgbouncer"
    gently = signal.SIGINT

    def __init__(self, found: Path, folder: Path, *, behind: int) -> None:
        self._behind = behind
        super().__init__(found, folder)

    @property
    def url(self) -> str:
        """The same database and user as behind it."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def _prepare(self) -> None:
        if os.geteuid() == 0:
            self.folder = folder_of_postgres(self)
        (self.folder / "users").write_text('"postgres" ""\n')
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": self.port,
            "unix_socket_dir": "",
            "auth_type": "trust",
            "auth_file": self.folder / "users",
            "pool_mode": "transaction",
            "default_pool_size": 5,
            "max_client_conn": 200,
        }
        lines = [
            "[databases]",
            f"* = host=127.0.0.1 port={self._behind}",
            "[pgbouncer]",
            *(f"{name} = {value}" for name, value in settings.items()),
        ]
        (self.folder / "ini").write_text("\n".join(lines) + "\n")

    def _command(self) -> list[str]:
        return as_postgres([str(self._found), "-q", str(self.folder / "ini")])


class Etcd(Server):
    """One etcd alone. It is quick to elect itself, which makes a lease of one second possible."""

    program = "etcd"

    def _prepare(self) -> None:
        self._peers = free_port()

    @property
    def url(self) -> str:
        """Its gateway is on the port of its clients."""
        return f"etcd://127.0.0.1:{self.port}"

    def _command(self) -> list[str]:
        clients, peers = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{self._peers}"
        return [
            str(self._found),
            *("--name", "one", "--data-dir", str(self.folder / "data"), "--log-level", "error"),
            *("--listen-client-urls", clients, "--advertise-client-urls", clients),
            *("--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers),
            *("--initial-cluster", f"one={peers}", "--unsafe-no-fsync"),
            *("--heartbeat-interval", "50", "--election-timeout", "500"),
        ]


def folder_of_postgres(owner: object) -> Path:
    """As root: a folder of the user postgres, as long as its owner is there.

    Not below pytest's own: each pytest that starts shuts that folder to other users again.
    """
    folder = Path(tempfile.mkdtemp(prefix="onepoller-"))
    user = pwd.getpwnam("postgres")
    os.chown(folder, user.pw_uid, user.pw_gid)
    weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True)
    return folder


def as_postgres(command: list[str]) -> list[str]:
    """A command that refuses to be run by root, as the user postgres where we are root."""
    if os.geteuid() != 0:
        return command
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port
