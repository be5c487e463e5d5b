"""What stands between a client and the Bot API: `onepoller proxy` as a user starts it, and nginx."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from programs import PATIENCE, Silent

_PROFILED = Path(__file__).with_name("proxy_profiled.py")
_TICK = os.sysconf("SC_CLK_TCK")
_CONFIGURATION = """
daemon off;
master_process off;  # one process, as the proxy is one: what it costs is easily read
pid {folder}/nginx.pid;
error_log /dev/null;
worker_rlimit_nofile {files};
events {{ worker_connections 2048; }}
http {{
    access_log off;
    keepalive_requests 1000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream api {{
        server 127.0.0.1:{upstream};
        keepalive 1024;
        keepalive_requests 1000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location / {{
            proxy_pass http://api;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
}}
"""


class Between:
    """One process. It ends with its `with` block."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.port = port

    @property
    def cpu_seconds(self) -> float:
        """How long it has been at work."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii", errors="replace")
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    def memory_kb(self, name: str = "VmRSS") -> int:
        """How much memory it has, `VmHWM`: had at most since `forget_peak`."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii", errors="replace")
        return int(status.partition(f"{name}:")[2].split()[0])

    def forget_peak(self) -> None:
        """The peak counts from now on."""
        with suppress(OSError):  # where that is not allowed, the peak is that of the whole run
            Path(f"/proc/{self.process.pid}/clear_refs").write_text("5", encoding="ascii")

    def stop(self) -> None:
        """End it in its own way."""
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if self.process.stdout is not None:
            self.process.stdout.close()


class Proxy(Between):
    """`onepoller proxy`; `profile`: a file for what cProfile sees of it from SIGUSR1 on."""

    def __init__(self, api_root: str, folder: Path, *, profile: Path | None = None) -> None:
        command = ["-m", "onepoller"] if profile is None else [str(_PROFILED), str(profile)]
        options = ["--listen", "127.0.0.1:0", "--api-root", api_root, "--state-dir", str(folder)]
        process = _start([sys.executable, *command, "proxy", *options])
        assert process.stdout is not None
        greeting = process.stdout.readline()
        found = re.search(r"on http://127\.0\.0\.1:(\d+) .* room for (\d+) clients", greeting)
        if found is None:
            process.kill()
            process.wait()
            raise Silent(f"onepoller proxy did not start: {greeting!r}")
        super().__init__(process, int(found[1]))
        self.room = int(found[2])


class Nginx(Between):
    """nginx as a reverse proxy, one process, connections kept on both sides."""

    def __init__(self, program: str, upstream: int, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        configuration = folder / "nginx.conf"
        configuration.write_text(
            _CONFIGURATION.format(folder=folder, upstream=upstream, port=port, files=4096), encoding="ascii"
        )
        super().__init__(_start([program, "-p", str(folder), "-c", str(configuration)]), port)
        end = time.monotonic() + PATIENCE
        while not _listens(port):
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise Silent("nginx did not start")
            time.sleep(0.02)


def nginx_program() -> str | None:
    """Where nginx is, or that it is not installed."""
    return shutil.which("nginx") or shutil.which("/usr/sbin/nginx")


def _start(command: Sequence[str]) -> subprocess.Popen[str]:
    nobodys = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("ONEPOLLER_") and not name.lower().endswith("_proxy")
    }
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=nobodys, text=True
    )


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
