"""Test doubles, for users and for ourselves; importing them starts nothing.

The fake Bot API lives in `botapi`, which has more names than are repeated here and imports nothing else of
ours.
"""

from onepoller.testing.botapi import BotApi, Control, FakeBotApi, Row, Rules, serve, spawn

__all__ = ["BotApi", "Control", "FakeBotApi", "Row", "Rules", "serve", "spawn"]
