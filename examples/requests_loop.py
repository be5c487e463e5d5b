"""A polling loop over requests: `get_updates_sync` waits for its turn, your function sends.

BOT_TOKEN=123456789:AA... python examples/requests_loop.py
"""

import contextlib
import os
import time
from typing import Any

import requests

from onepoller import OnePoller

ROOT = os.environ.get("TELEGRAM_API_ROOT", "https://api.telegram.org")
TOKEN = os.environ["BOT_TOKEN"]
session = requests.Session()


def call(method: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Call one Bot API method; errors of the API are replies too."""
    reply: dict[str, Any] = session.post(f"{ROOT}/bot{TOKEN}/{method}", json=parameters, timeout=40).json()
    return reply


def main() -> None:
    """Answer each message with its own text, for ever."""
    bot_id = int(TOKEN.partition(":")[0])
    offset = 0
    with OnePoller() as poller:
        while True:
            try:
                reply = poller.get_updates_sync(bot_id, call, timeout=30, offset=offset, api_root=ROOT)
            except requests.RequestException as error:
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
