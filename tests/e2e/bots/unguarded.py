"""A bot that nobody can change: a plain polling loop that knows nothing of onepoller.

It tells what it handles, when it begins and, after SIGTERM, when it ends (`--cleaning` seconds later). With
`--stubborn` it ignores SIGTERM; with `--crash N` it ends with code N after its first poll,
with `--crash-over N` over its first batch. SIGUSR1 is told.
"""

from __future__ import annotations

import argparse
import http.client
import json
import signal
import sys
import time
from urllib.parse import urlsplit

from tests.e2e.bots.saying import say


def main(arguments: list[str] | None = None) -> None:
    """Poll until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("url")
    parser.add_argument("token")
    parser.add_argument("--cleaning", type=float, default=0.0)
    parser.add_argument("--stubborn", action="store_true")
    parser.add_argument("--crash", type=int)
    parser.add_argument("--crash-over", type=int)
    given = parser.parse_args(arguments)

    def stop(_: int, __: object) -> None:
        time.sleep(given.cleaning)
        say(ended=given.name, at=time.monotonic())
        sys.exit(0)

    signal.signal(signal.SIGTERM, signal.SIG_IGN if given.stubborn else stop)
    signal.signal(signal.SIGUSR1, lambda *_: say(usr1=given.name))
    say(began=given.name, at=time.monotonic())
    offset = 0
    while True:
        connection = http.client.HTTPConnection(urlsplit(given.url).netloc, timeout=12)
        body = json.dumps({"offset": offset, "timeout": 2})
        headers = {"Content-Type": "application/json", "X-Poller": given.name}
        connection.request("POST", f"/bot{given.token}/getUpdates", body, headers)
        reply = json.loads(connection.getresponse().read())
        connection.close()
        if given.crash_over is not None and reply.get("result"):
            sys.exit(given.crash_over)
        if given.crash is not None:
            sys.exit(given.crash)
        if not reply["ok"]:
            say(refused=reply["description"])
            time.sleep(0.2)
        for update in reply.get("result", ()):
            offset = update["update_id"] + 1
            say(handled=update["update_id"], by=given.name)


if __name__ == "__main__":
    main()
