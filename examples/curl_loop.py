"""A polling loop over curl: whatever can perform one request can wait for its turn.

BOT_TOKEN=123456789:AA... python examples/curl_loop.py

The URL goes in by stdin, so that no process list shows the token.
"""

import contextlib
import json
import os
import subprocess
import time
from typing import Any

from onepoller import OnePoller

ROOT = os.environ.get("TELEGRAM_API_ROOT", "https://api.telegram.org")
TOKEN = os.environ["BOT_TOKEN"]
CURL = ["curl", "--silent", "--show-error", "--max-time", "40", "--config", "-"]


def call(method: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Call one Bot API method; errors of the API are replies too."""
    pairs = {name: v if isinstance(v, str) else json.dumps(v) for name, v in parameters.items()}
    lines = [f"url = {json.dumps(f'{ROOT}/bot{TOKEN}/{method}')}"]
    # Quoted as curl's configuration wants it: a quote and a backslash escaped, a line end as \n.
    lines += [f"data-urlencode = {json.dumps(f'{n}={v}', ensure_ascii=False)}" for n, v in pairs.items()]
    done = subprocess.run(CURL, input="\n".join(lines), capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConnectionError(f"curl ended with {done.returncode}: {done.stderr.strip()}")
    reply: dict[str, Any] = json.loads(done.stdout)
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
                print(f"no answer: {error}", flush=True)
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
