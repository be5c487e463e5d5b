"""A polling loop over aiohttp: `get_updates` waits for its turn, your function sends.

BOT_TOKEN=123456789:AA... python examples/aiohttp_loop.py
"""

import asyncio
import contextlib
import os
from typing import Any

import aiohttp

from onepoller import OnePoller

ROOT = os.environ.get("TELEGRAM_API_ROOT", "https://api.telegram.org")
TOKEN = os.environ["BOT_TOKEN"]


async def main() -> None:
    """Answer each message with its own text, for ever."""
    bot_id = int(TOKEN.partition(":")[0])
    offset = 0
    with OnePoller() as poller:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=40)) as session:

            async def call(method: str, parameters: dict[str, Any]) -> dict[str, Any]:
                async with session.post(f"{ROOT}/bot{TOKEN}/{method}", json=parameters) as response:
                    answer: dict[str, Any] = await response.json()
                    return answer

            while True:
                try:
                    reply = await poller.get_updates(bot_id, call, timeout=30, offset=offset, api_root=ROOT)
                except (aiohttp.ClientError, TimeoutError) as error:
                    print(f"no answer: {type(error).__name__}", flush=True)
                    await asyncio.sleep(3)
                    continue
                if not reply["ok"]:
                    print(f"Telegram says: {reply['description']}", flush=True)
                    await asyncio.sleep(3)
                for update in reply.get("result", []):
                    offset = update["update_id"] + 1
                    message = update.get("message", {})
                    if "text" in message:
                        await call("sendMessage", {"chat_id": message["chat"]["id"], "text": message["text"]})


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
