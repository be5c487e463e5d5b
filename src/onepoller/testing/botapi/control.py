"""The control API of the fake, under `/_fake/`: JSON over the same port, for tests in other processes.

One function per order. Each reads its fields, does one thing to the core, and gives what is answered. A wrong
order is answered 400 with a sentence in `error`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from onepoller.testing.botapi import analysis, faults, kinds
from onepoller.testing.botapi.journal import POLL, of_bot, row_json
from onepoller.testing.botapi.paths import CONTROL
from onepoller.testing.botapi.replies import Reply, dumps

if TYPE_CHECKING:
    from onepoller.testing.botapi.connection import Connection
    from onepoller.testing.botapi.http import Request
    from onepoller.testing.botapi.server import Server

Fields = Mapping[str, Any]
LONGEST_WAIT = 60.0


def receive(server: "Server", connection: "Connection", request: "Request") -> None:
    """Obey one order, or let a reader of the log wait."""
    name, _, query = request.target[len(CONTROL) :].partition("?")
    try:
        fields: dict[str, Any] = dict(parse_qsl(query))
        if request.body:
            fields |= json.loads(request.body)
        if name == "log":
            _log(server, connection, fields)
            return
        order = ORDERS.get(name)
        if order is None:
            _write(connection, {"error": f"No order {name!r}; known: log, {', '.join(ORDERS)}."}, status=404)
            return
        answer = order(server, fields)
    except (KeyError, TypeError, ValueError) as error:
        _write(connection, {"error": f"{type(error).__name__}: {error}"}, status=400)
        return
    _write(connection, answer)
    server.pump()


def _write(connection: "Connection", answer: object, *, status: int = 200) -> None:
    connection.write(Reply(status=status, body=dumps(answer).encode()))


def _log(server: "Server", connection: "Connection", fields: Fields) -> None:
    since = int(fields.get("since", 0))
    wait = min(float(fields.get("wait", 0)), LONGEST_WAIT)
    journal = server.api.journal

    def write() -> None:
        answer = {
            "version": journal.version,
            "now": server.now(),
            "rows": [row_json(row) for row in journal.rows(since=since)],
            "pushed": [asdict(made) for made in journal.pushes(since=since)],
        }
        _write(connection, answer)

    server.when_changed(since, wait, write)


def _push(server: "Server", fields: Fields) -> object:
    bot_id, count = int(fields["bot"]), int(fields.get("count", 1))
    kind = str(fields.get("kind", "message"))
    if kind not in kinds.KINDS:
        raise ValueError(f"There is no update type {kind!r}; the types are {', '.join(kinds.KINDS)}.")
    every = float(fields.get("every", 0))
    if every > 0:
        server.api.guests.start_source(bot_id, every=every, count=count, now=server.now(), kind=kind)
        return {"pushed": []}
    date = fields.get("date")
    made = server.api.push(
        bot_id, count, now=server.now(), kind=kind, date=None if date is None else int(date)
    )
    return {"pushed": [asdict(update) for update in made]}


def _stop_push(server: "Server", fields: Fields) -> object:
    server.api.guests.stop_sources(int(fields["bot"]))
    return {}


def _summary(server: "Server", fields: Fields) -> object:
    journal = server.api.journal
    rows, pushed = journal.rows(), journal.pushes()
    if "bot" in fields:
        bot_id = int(fields["bot"])
        rows = of_bot(rows, bot_id)
        pushed = [made for made in pushed if made.bot_id == bot_id]
    return {
        "pollers": {poller: asdict(tally) for poller, tally in analysis.tallies(rows).items()},
        "pushed": len(pushed),
        "undelivered": len(analysis.undelivered(rows, pushed)),
        "overlaps": len(analysis.overlaps(rows)),
    }


def _webhook(server: "Server", fields: Fields) -> object:
    server.api.guests.set_webhook(int(fields["bot"]), str(fields.get("url", "")), now=server.now())
    return {}


def _start_rival(server: "Server", fields: Fields) -> object:
    name = server.api.guests.start_rival(
        int(fields["bot"]),
        str(fields.get("behaviour", "ptb")),
        now=server.now(),
        name=str(fields.get("name", "")),
        after=float(fields.get("after", 0)),
    )
    return {"name": name}


def _stop_rival(server: "Server", fields: Fields) -> object:
    return {"stopped": server.api.guests.stop_rival(str(fields["name"]), now=server.now())}


def _revoke(server: "Server", fields: Fields) -> object:
    server.api.revoke(int(fields["bot"]), now=server.now())
    return {}


def _authorise(server: "Server", fields: Fields) -> object:
    server.api.authorise(str(fields["token"]))
    return {}


def _time(server: "Server", _: Fields) -> object:
    return {"now": server.now(), "unix": server.api.unix(server.now())}


def _fault(server: "Server", fields: Fields) -> object:
    fault = faults.Fault(
        answer=faults.answer_of(fields),
        times=int(fields.get("times", 1)),
        method=str(fields.get("method", POLL)).lower(),
        poller=str(fields.get("poller", "")),
    )
    server.api.inject(int(fields["bot"]), fault)
    return {}


def _clear_faults(server: "Server", fields: Fields) -> object:
    server.api.faults.clear(int(fields["bot"]))
    return {}


ORDERS: Mapping[str, Callable[["Server", Fields], object]] = {
    "push": _push,
    "push/stop": _stop_push,
    "summary": _summary,
    "webhook": _webhook,
    "rival": _start_rival,
    "rival/stop": _stop_rival,
    "revoke": _revoke,
    "authorise": _authorise,
    "time": _time,
    "fault": _fault,
    "fault/clear": _clear_faults,
}
