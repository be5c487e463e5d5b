"""Answers that the server's rules would not give: gateway pages, floods, cut connections, silence.

Pure. A fault is taken by the next calls that match it, before any rule of the server sees them: such a call
parks nothing, confirms nothing and evicts nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from onepoller.testing.botapi.journal import POLL
from onepoller.testing.botapi.replies import HTML, UNAUTHORIZED, Cut, Reply, error, retry_after

_BAD_GATEWAY = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    b"<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)

NAMED: Mapping[str, Reply | Cut] = {
    "html_502": Reply(status=502, body=_BAD_GATEWAY, content_type=HTML),
    "json_502": error(502, "Bad Gateway"),
    "restart_500": error(500, "Internal Server Error: restart"),
    "unauthorized_401": UNAUTHORIZED,
    "not_found_404": error(404, "Not Found"),
    "logged_out_400": error(400, "Logged out"),
    "flood_429": retry_after(5),
    "no_result_200": Reply(status=200, body=b'{"ok":true}'),
    "empty_200": Reply(status=200, body=b""),
    "broken_json_200": Reply(status=200, body=b'{"ok":true,"result":[{"upda'),
    "close": Cut.CLOSE,
    "short": Cut.SHORT,
    "reset": Cut.RESET,
    "hang": Cut.HANG,
}


@dataclass(slots=True, kw_only=True)
class Fault:
    """One fault, and how many calls it still has for. `poller` "" means any."""

    answer: Reply | Cut
    times: int = 1
    method: str = POLL
    poller: str = ""


@dataclass(slots=True)
class Faults:
    """The faults that wait, by bot, oldest first."""

    waiting: dict[int, list[Fault]] = field(default_factory=dict)

    def add(self, bot_id: int, fault: Fault) -> None:
        """Have a fault wait for its calls."""
        self.waiting.setdefault(bot_id, []).append(fault)

    def clear(self, bot_id: int) -> None:
        """Forget the faults of a bot."""
        self.waiting.pop(bot_id, None)

    def take(self, bot_id: int, *, method: str, poller: str) -> Reply | Cut | None:
        """Give the answer of the first fault that is meant for this call, or None."""
        faults = self.waiting.get(bot_id, [])
        for fault in faults:
            if fault.method == method and fault.poller in {"", poller}:
                fault.times -= 1
                if fault.times == 0:
                    faults.remove(fault)
                    if not faults:
                        del self.waiting[bot_id]
                return fault.answer
        return None


def answer_of(wanted: Mapping[str, Any]) -> Reply | Cut:
    """Read a fault from the fields of the control API: `kind`, or `status` with `body`, or `retry_after`.

    Raises:
        ValueError: there is no fault of that name, or neither a name nor a status.

    """
    kind = wanted.get("kind")
    if kind is not None:
        if kind not in NAMED:
            raise ValueError(f"There is no fault {kind!r}; the names are {', '.join(NAMED)}.")
        if kind == "flood_429" and "retry_after" in wanted:
            return retry_after(int(wanted["retry_after"]))
        return NAMED[kind]
    if "status" not in wanted:
        raise ValueError("A fault needs a kind or a status.")
    status = int(wanted["status"])
    if "body" not in wanted:
        return error(status, str(wanted.get("description", "Injected fault")))
    body = str(wanted["body"]).encode()
    is_html = body.lstrip().startswith(b"<")
    return Reply(status=status, body=body, content_type=HTML if is_html else "application/json")
