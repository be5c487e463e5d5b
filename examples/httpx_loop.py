"""A polling loop over httpx, without a framework: one line makes it wait for its turn.

BOT_TOKEN=123456789:AA... python examples/httpx_loop.py
"""

import asyncio
import contextlib
import os

import httpx

from onepoller.adapters.transport import AsyncGuardedTransport

ROOT = os.environ.get("TELEGRAM_API_ROOT", "https://api.telegram.org")


async def main() -> None:
    """Answer each message with its own text, for ever."""
    methods = f"{ROOT}/bot{os.environ['BOT_TOKEN']}/"
    offset = 0
    async with httpx.AsyncClient(transport=AsyncGuardedTransport(), base_url=methods, timeout=40) as bot:
        while True:
            try:
                reply = await bot.post("getUpdates", json={"offset": offset, "timeout": 30})
            except httpx.HTTPError as error:
                print(f"no answer: {type(error).__name__}", flush=True)
                await asyncio.sleep(3)
                continue
            for update in reply.json().get("result", []):
                offset = update["update_id"] + 1
                message = update.get("message", {})
                if "text" in message:
                    answer = {"chat_id": message["chat"]["id"], "text": message["text"]}
                    await bot.post("sendMessage", json=answer)
            if reply.is_error:
                print(f"Telegram says: {reply.text}", flush=True)
                await asyncio.sleep(3)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
