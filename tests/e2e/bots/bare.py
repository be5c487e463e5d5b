"""A polling loop without a framework, guarded: asynchronous, or in a thread (`--sync`).

Orders, a line each on stdin: `quit` (the loop returns, the process lives), `silence` (it is cancelled),
`hang` (the next handler never ends), `block SECONDS` (of the event loop), `twice` (a second loop beside the
first), `fork` (a child that sleeps), `fork-poll NAME` (a child that polls), `hand_over`. An update counts as
handled when `--work` seconds have passed. It ends with its stdin.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import logging
import os
import re
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import onepoller
from onepoller import OnePoller
from tests.e2e.bots.saying import hear, obey, say

PAUSE = 0.2
"""After an error, seconds; frameworks wait longer."""


class Loop:
    """One polling loop of one bot."""

    def __init__(
        self, name: str, url: str, token: str, *, timeout: float, work: float, poller: OnePoller
    ) -> None:
        self.name = name
        self.work = work
        self.hangs = False
        self.quits = False
        self._address = urlsplit(url).netloc
        self._root = url
        self._path = f"/bot{token}/"
        self._bot_id = int(token.partition(":")[0])
        self._timeout = timeout
        self._poller = poller
        self._offset = 0

    async def run(self) -> None:
        """Poll until told to quit."""
        while not self.quits:
            try:
                reply = await self._poller.get_updates(
                    self._bot_id, self.call, timeout=self._timeout, offset=self._offset, api_root=self._root
                )
            except (OSError, EOFError) as error:
                say(failed=type(error).__name__)
                await asyncio.sleep(PAUSE)
                continue
            for update in self._taken(reply):
                await asyncio.sleep(3600 if self.hangs else self.work)
                self._handled(update)
            if not reply["ok"]:
                await asyncio.sleep(PAUSE)

    def run_sync(self) -> None:
        """Poll for ever in this thread."""
        while True:
            reply = self._poller.get_updates_sync(
                self._bot_id, self.call_sync, timeout=self._timeout, offset=self._offset, api_root=self._root
            )
            for update in self._taken(reply):
                time.sleep(self.work)
                self._handled(update)
            if not reply["ok"]:
                time.sleep(PAUSE)

    def _taken(self, reply: dict[str, Any]) -> list[dict[str, Any]]:
        if not reply["ok"]:
            say(refused=reply["description"])
            return []
        updates: list[dict[str, Any]] = reply["result"]
        return updates

    def _handled(self, update: dict[str, Any]) -> None:
        say(handled=update["update_id"], by=self.name)
        self._offset = update["update_id"] + 1

    def _request(self, method: str, parameters: dict[str, Any]) -> tuple[str, str, dict[str, str]]:
        return (
            self._path + method,
            json.dumps(parameters),
            {"Content-Type": "application/json", "X-Poller": self.name},
        )

    async def call(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """One request on a connection of its own, which is closed with the call."""
        path, body, headers = self._request(method, parameters)
        host, _, port = self._address.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            headers |= {"Host": self._address, "Content-Length": str(len(body))}
            lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
            writer.write("\r\n".join([*lines, "", body]).encode())
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: *(\d+)", head)
            assert length is not None
            reply: dict[str, Any] = json.loads(await reader.readexactly(int(length[1])))
            return reply
        finally:
            writer.close()

    def call_sync(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """The same without an event loop."""
        path, body, headers = self._request(method, parameters)
        connection = http.client.HTTPConnection(self._address, timeout=self._timeout + 10)
        try:
            connection.request("POST", path, body, headers)
            reply: dict[str, Any] = json.load(connection.getresponse())
            return reply
        finally:
            connection.close()


class Program:
    """The loops of one process, and what it is told."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self.loops: list[asyncio.Task[None]] = []
        self.handler = self.make(given.name, onepoller.default())

    def make(self, name: str, poller: OnePoller) -> Loop:
        """One more loop."""
        return Loop(
            name,
            self.given.url,
            self.given.token,
            timeout=self.given.timeout,
            work=self.given.work,
            poller=poller,
        )

    async def run(self) -> None:
        """Poll until told otherwise."""
        loop = asyncio.get_running_loop()
        if self.given.graceful:
            loop.add_signal_handler(signal.SIGTERM, self.stop)
        self.loops.append(loop.create_task(self.handler.run()))
        obey(lambda words: loop.call_soon_threadsafe(self.obey, words))
        while not all(task.done() for task in self.loops):
            await asyncio.wait(self.loops)
        if not self.given.graceful:
            await asyncio.sleep(3600)
        onepoller.default().close()

    def stop(self) -> None:
        """As a program that handles SIGTERM does."""
        for task in self.loops:
            task.cancel()

    def obey(self, words: list[str]) -> None:
        """Do what the test says."""
        match words[0]:
            case "silence":
                self.stop()
            case "quit":
                self.handler.quits = True
            case "block":
                time.sleep(float(words[1]))
                say(unblocked=True)
            case "hang":
                self.handler.hangs = True
            case "twice":
                second = self.make(self.given.name, onepoller.default())
                self.loops.append(asyncio.get_running_loop().create_task(second.run()))
            case "hand_over":
                onepoller.default().hand_over()
            case "fork":
                fork(sleep)
            case "fork-poll":
                fork(lambda: self.poll_as_child(words[1]))

    def poll_as_child(self, name: str) -> None:
        """In a forked child: a loop of its own with the module's poller, which is the child's own."""
        asyncio.events._set_running_loop(None)  # the parent's, which is not ours
        onepoller.default().listen(hear)
        asyncio.run(self.make(name, onepoller.default()).run())


def fork(task: Any) -> None:
    """Fork a child that does one thing and ends with the test."""
    child = os.fork()
    if child:
        say(forked=child)
        return
    obey(lambda _: None)
    task()


def sleep() -> None:
    """Do nothing for long, without the parent's connection: while it is open here, its poll goes on."""
    for link in list(Path("/proc/self/fd").iterdir()):
        with suppress(OSError):
            if str(link.readlink()).startswith("socket:"):
                os.close(int(link.name))
    say(asleep=True)
    time.sleep(3600)


def main(arguments: list[str] | None = None) -> None:
    """Run the bot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("url")
    parser.add_argument("token")
    parser.add_argument("--timeout", type=float, default=2.0)
    parser.add_argument("--work", type=float, default=0.0)
    parser.add_argument("--sync", action="store_true")
    parser.add_argument("--graceful", action="store_true", help="stop well on SIGTERM")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    onepoller.default().listen(hear)
    program = Program(given)
    if given.sync:
        obey(lambda words: onepoller.default().hand_over() if words == ["hand_over"] else None)
        poll = threading.Thread(target=program.handler.run_sync)
        poll.start()
        poll.join()
        return
    asyncio.run(program.run())


if __name__ == "__main__":
    main()
