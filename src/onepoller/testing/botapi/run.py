"""`serve`: the fake as a program, `python -m onepoller.testing.botapi --listen 127.0.0.1:0`."""

import argparse
import asyncio
import resource
import signal
from collections.abc import Sequence
from contextlib import suppress

from onepoller.testing.botapi.remote import GREETING
from onepoller.testing.botapi.rules import FAITHFUL, Rules
from onepoller.testing.botapi.server import Server


def address(listen: str) -> tuple[str, int]:
    """Read `HOST:PORT`; an IPv6 host stands in brackets.

    Raises:
        ValueError: it is no such thing.

    """
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdecimal():
        raise ValueError(f"An address is HOST:PORT, such as 127.0.0.1:8081; this is {listen!r}.")
    return host.strip("[]") or "127.0.0.1", int(port)


def serve(listen: str, *, is_public: bool = False, rules: Rules = FAITHFUL, seed: int = 0) -> None:
    """Run a fake Bot API until SIGINT or SIGTERM; prints one line with its address once it listens.

    Raises:
        ValueError: the address is none, or not the loopback's although `is_public` was not said.

    """
    host, port = address(listen)
    _allow_many_sockets()
    asyncio.run(_serve(host, port, is_public=is_public, rules=rules, seed=seed))


async def _serve(host: str, port: int, *, is_public: bool, rules: Rules, seed: int) -> None:
    server = Server(rules=rules, seed=seed)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    await server.start(host, port, is_public=is_public)
    print(f"{GREETING}{server.url}", flush=True)  # noqa: T201 - the one line that its starter reads
    await stopped.wait()
    await server.stop()


def _allow_many_sockets() -> None:
    """Take as many descriptors as the system grants: each connection is one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(prog="python -m onepoller.testing.botapi", description=__doc__)
    parser.add_argument("--listen", default="127.0.0.1:8081", metavar="HOST:PORT")
    parser.add_argument("--public", action="store_true", help="listen on other addresses than the loopback")
    parser.add_argument("--conflict-pause", type=float, default=FAITHFUL.conflict_pause, metavar="SECONDS")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    try:
        serve(
            given.listen,
            is_public=given.public,
            rules=Rules(conflict_pause=given.conflict_pause),
            seed=given.seed,
        )
    except (ValueError, OSError) as error:
        parser.error(str(error))
