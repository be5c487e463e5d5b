"""What wraps a framework's getUpdates: one file or package per framework, imported by its own name.

An adapter translates: its framework's call into a `Request`, the outcome back into what the framework
expects, start-up calls into a ruling. It decides nothing, imports its framework in its own file only, and
knows no other adapter. What two of them need and what no framework knows lies in `coordination`.

    onepoller.adapters.ptb         python-telegram-bot (extra `ptb`)
    onepoller.adapters.aiogram     aiogram 3 (extra `aiogram`)
    onepoller.adapters.telebot     pyTelegramBotAPI (extra `telebot`)
    onepoller.adapters.transport   any loop over httpx
    onepoller.adapters.proxy       a sidecar for bots in any language (extra `proxy`)
    onepoller.adapters.command     a program that runs only while it is its turn
"""

__all__: list[str] = []
