"""A polling loop with threads or none, and any HTTP client: `get_updates_sync` waits for its turn.

BOT_TOKEN=123456789:AA... python examples/sync_loop.py
"""

import contextlib
import json
import os
import time
import urllib.error
import urllib.request
from typing import Any

from onepoller import OnePoller

ROOT = os.environ.get("TELEGRAM_API_ROOT", "https://api.telegram.org")
TOKEN = os.environ["BOT_TOKEN"]


def call(method: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Call one Bot API method with the standard library; errors of the API are replies too."""
    request = urllib.request.Request(  # noqa: S310  # the root is the user's own
        f"{ROOT}/bot{TOKEN}/{method}",
        data=json.dumps(parameters).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=40) as response:  # noqa: S310  # as above
            reply: dict[str, Any] = json.load(response)
    except urllib.error.HTTPError as error:
        reply = json.load(error)
    return reply


def main() -> None:
    """Answer each message with its own text, for ever."""
    bot_id = int(TOKEN.partition(":")[0])
    offset = 0
    with OnePoller() as poller:
        while True:
            try:
                reply = poller.get_updates_sync(bot_id, call, timeout=30, offset=offset, api_root=ROOT)
            except (OSError, ValueError) as error:
                print(f"no answer: {type(error).__name__}", flush=True)
                time.sleep(3)
                continue
            if not reply["ok"]:
                print(f"Telegram says: {reply['description']}", flush=True)
                time.sleep(3)
            for update in reply.get("result", []):
                offset = update["update_id"] + 1
                message = update.get("message", {})
                if "text" in message:
                    call("sendMessage", {"chat_id": message["chat"]["id"], "text": message["text"]})


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
