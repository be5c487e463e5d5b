"""What the bots of these tests have in common: they tell their test what they did, a JSON object a line."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable

from onepoller.coordination import events
from onepoller.coordination.events import Event


def say(**fields: object) -> None:
    """Tell the test; one write, so that a kill leaves whole lines."""
    os.write(1, json.dumps({"pid": os.getpid()} | fields).encode() + b"\n")


def hear(event: Event) -> None:
    """Tell the test what onepoller told."""
    match event:
        case events.RoleChanged(role=role, term=term):
            say(role=role.label, term=term)
        case events.EpisodeOpened(kind=kind, detail=detail):
            say(opened=str(kind), detail=detail)
        case events.EpisodeClosed(kind=kind, resolution=resolution, seconds=seconds):
            say(closed=str(kind), resolution=resolution, seconds=seconds)
        case events.UpdatesDropped(count=count, reason=reason):
            say(dropped=count, reason=str(reason))
        case events.ClaimChanged(event=change, cause=cause, term=term):
            say(claim=str(change), cause=str(cause), term=term)
        case events.SessionOpened(note=note):
            say(session="opened", note=note)
        case events.SessionLost(reason=reason):
            say(session="lost", reason=reason)
        case events.Stalled():
            say(stalled=True)
        case events.StoreTrouble(text=text):
            say(trouble=text)
        case _:
            pass


def obey(order: Callable[[list[str]], object]) -> None:
    """Call `order` with the words of each line that comes in; end hard with the test."""

    def read() -> None:
        for line in sys.stdin:
            order(line.split())
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
