"""A bot without any framework: getUpdates over HTTP, in a loop, as it can be written in any language.

Nothing in it knows of onepoller; ROOT is all that is set: `loop.py ROOT VARIABLE`, where the variable holds
the token. It says what it handled and which polls were refused, a JSON object a line, begins with the first
line of its stdin, and ends with it.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

TIMEOUT = 30
PAUSE = 1.0
"""After an error, seconds."""


def say(**fields: Any) -> None:
    """Tell the demo; one write, so that a kill leaves whole lines."""
    os.write(1, json.dumps(fields).encode() + b"\n")


def poll(url: str) -> None:
    """Poll for ever: handle what comes, then ask for what follows it."""
    offset = 0
    while True:
        try:
            with urlopen(f"{url}?offset={offset}&timeout={TIMEOUT}", timeout=TIMEOUT * 2) as reply:  # noqa: S310
                updates = json.load(reply)["result"]
        except HTTPError as error:
            say(refused=error.code)
            time.sleep(PAUSE)
            continue
        except URLError:
            time.sleep(PAUSE)
            continue
        for update in updates:
            say(handled=update["update_id"])
            offset = update["update_id"] + 1


def main() -> None:
    """Run the bot."""
    root, variable = sys.argv[1:]
    say(ready=True)
    if not sys.stdin.readline():
        return
    url = f"{root}/bot{os.environ[variable]}/getUpdates"
    threading.Thread(target=poll, args=[url], daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
