"""Worker processes with a bot in each: one polls, every one sends; one that dies is replaced.

    BOT_TOKEN=123456789:AA... CHAT_ID=42 python examples/workers_multiprocessing.py fork

The argument is the start method: fork, spawn or forkserver. Each worker tells the chat CHAT_ID that it is up.
"""

import multiprocessing
import os
import signal
import sys
from multiprocessing.connection import wait

from telegram import Update
from telegram.ext import Application, ApplicationBuilder, ContextTypes, MessageHandler, filters

from onepoller.adapters.ptb import guard

WORKERS = 3


async def greet(application: Application) -> None:
    """Tell that this worker is up: it can send, whether it polls or not."""
    await application.bot.send_message(int(os.environ["CHAT_ID"]), f"worker {os.getpid()} is up")


async def echo(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    """Answer a message with its own text."""
    message = update.effective_message
    if message is not None and message.text is not None:
        await context.bot.send_message(message.chat_id, message.text)


def work() -> None:
    """Run a worker until SIGINT or SIGTERM. `run_polling` stops as it should on both."""
    root = os.environ.get("TELEGRAM_API_ROOT", "https://api.telegram.org")
    builder = ApplicationBuilder().token(os.environ["BOT_TOKEN"]).base_url(f"{root}/bot").post_init(greet)
    application = guard(builder).build()
    application.add_handler(MessageHandler(filters.TEXT, echo))
    application.run_polling(bootstrap_retries=-1)  # a Telegram that is away at the start ends no worker


def main() -> None:
    """Keep the workers running until SIGINT or SIGTERM."""
    context = multiprocessing.get_context(sys.argv[1])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    workers = [context.Process(target=work) for _ in range(WORKERS)]
    try:
        for worker in workers:
            worker.start()
        while True:
            wait([worker.sentinel for worker in workers])
            for place, worker in enumerate(workers):
                if not worker.is_alive():
                    workers[place] = context.Process(target=work)
                    workers[place].start()
    finally:
        for worker in workers:
            if worker.is_alive():
                worker.terminate()
                worker.join()


if __name__ == "__main__":
    main()
