"""`Control`: the fake in another process, for synchronous tests and demonstrations; `spawn` starts one.

Everything that happens at the fake is read through its log, which is waited for, never asked at intervals.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import httpx

from onepoller.testing.botapi.journal import Pushed, Row, row_from_json

PATIENCE = 45.0
GREETING = "fake Bot API on "
_SLACK = 5.0


class ControlError(Exception):
    """The fake refused an order; the text is its reason."""


class Control:
    """Gives orders to a fake Bot API and reads its journal.

    with Control(url) as control:
        control.push(123456789, 3)
        row = control.wait_for(lambda row: row.how == "updates")
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False)
        self._version = 0
        self._rows: dict[int, Row] = {}
        self._pushed: list[Pushed] = []

    def __repr__(self) -> str:
        return f"<Control of {self.url}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    # -- orders

    def push(
        self,
        bot_id: int,
        count: int = 1,
        *,
        kind: str = "message",
        every: float = 0.0,
        date: int | None = None,
    ) -> list[Pushed]:
        """Make numbered updates for a bot: all now, or one every so many seconds."""
        fields = {"bot": bot_id, "count": count, "kind": kind, "every": every, "date": date}
        return [Pushed(**made) for made in self._order("push", fields)["pushed"]]

    def stop_push(self, bot_id: int) -> None:
        """End the streams of updates of a bot."""
        self._order("push/stop", {"bot": bot_id})

    def set_webhook(self, bot_id: int, url: str) -> None:
        """Have a foreign program set a webhook; an empty url deletes it."""
        self._order("webhook", {"bot": bot_id, "url": url})

    def start_rival(self, bot_id: int, behaviour: str = "ptb", *, name: str = "", after: float = 0.0) -> str:
        """Have a foreign poller poll a bot; gives its name in the journal."""
        fields = {"bot": bot_id, "behaviour": behaviour, "name": name, "after": after}
        return str(self._order("rival", fields)["name"])

    def stop_rival(self, name: str) -> bool:
        """End a rival as if it were killed; False if there is none of that name."""
        return bool(self._order("rival/stop", {"name": name})["stopped"])

    def revoke(self, bot_id: int) -> None:
        """Have the tokens of a bot refused."""
        self._order("revoke", {"bot": bot_id})

    def authorise(self, token: str) -> None:
        """Have one token accepted."""
        self._order("authorise", {"token": token})

    def fault(self, bot_id: int, kind: str | None = None, **fields: Any) -> None:
        """Have the next matching calls answered with a fault; fields as in the control API."""
        named = {} if kind is None else {"kind": kind}
        self._order("fault", {"bot": bot_id} | named | fields)

    def clear_faults(self, bot_id: int) -> None:
        """Forget the faults of a bot."""
        self._order("fault/clear", {"bot": bot_id})

    # -- what happened

    def now(self) -> float:
        """Read the clock of the journal."""
        return float(self._order("time", {})["now"])

    def summary(self, bot_id: int | None = None) -> dict[str, Any]:
        """Count, by poller."""
        return self._order("summary", {} if bot_id is None else {"bot": bot_id})

    def rows(self, bot_id: int | None = None) -> list[Row]:
        """Give the rows of one bot, or all, as they are now."""
        self._read(wait=0.0)
        return [row for _, row in sorted(self._rows.items()) if bot_id is None or row.bot_id == bot_id]

    def pushed(self, bot_id: int | None = None) -> list[Pushed]:
        """Give the updates made for one bot, or for all."""
        self._read(wait=0.0)
        return [made for made in self._pushed if bot_id is None or made.bot_id == bot_id]

    def wait_for(
        self, predicate: Callable[[Row], bool], *, count: int = 1, after: int = 0, timeout: float = PATIENCE
    ) -> Row:
        """Wait until `count` rows beyond the number `after` satisfy a predicate; gives the last of them.

        Raises:
            TimeoutError: they did not in time.

        """
        deadline = time.monotonic() + timeout
        wait = 0.0
        while True:
            self._read(wait=wait)
            found = [row for seq, row in sorted(self._rows.items()) if seq > after and predicate(row)]
            if len(found) >= count:
                return found[count - 1]
            wait = deadline - time.monotonic()
            if wait <= 0:
                raise TimeoutError(
                    f"{len(found)} of {count} such rows after {timeout} s, of {len(self._rows)}."
                )

    def _read(self, *, wait: float) -> None:
        response = self._http.get(
            "/_fake/log", params={"since": self._version, "wait": wait}, timeout=wait + _SLACK
        )
        log = response.raise_for_status().json()
        self._version = log["version"]
        for fields in log["rows"]:
            row = row_from_json(fields)
            self._rows[row.seq] = row
        self._pushed.extend(Pushed(**made) for made in log["pushed"])

    def _order(self, name: str, fields: dict[str, Any]) -> dict[str, Any]:
        response = self._http.post(f"/_fake/{name}", json=fields)
        answer: dict[str, Any] = response.json()
        if response.is_error:
            raise ControlError(answer["error"])
        return answer


@contextmanager
def spawn(*options: str) -> Iterator[Control]:
    """Run a fake Bot API in a process of its own, on a free port, while the block runs."""
    command = [sys.executable, "-m", "onepoller.testing.botapi", "--listen", "127.0.0.1:0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own program
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        if not line.startswith(GREETING):
            raise ControlError(f"The fake Bot API did not start: exit status {process.wait(PATIENCE)}.")
        with Control(line.removeprefix(GREETING)) as control:
            yield control
    finally:
        process.terminate()
        process.wait(PATIENCE)
        if process.stdout is not None:
            process.stdout.close()
