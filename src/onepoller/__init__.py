"""Exactly one poller per Telegram bot token. It tells you who the other one is. It never goes deaf.

Public names of the library. Adapters are imported by their own names (`onepoller.adapters.ptb`), so that
importing this imports no bot framework.
"""

from onepoller.coordination.errors import (
    OnepollerError,
    SettingsError,
    SetupError,
    StoreUnavailable,
    StoreUnfit,
)
from onepoller.coordination.settings import OnRival, OnWebhook, Settings, StartMode
from onepoller.process import OnePoller, default

__all__ = [
    "OnRival",
    "OnWebhook",
    "OnePoller",
    "OnepollerError",
    "Settings",
    "SettingsError",
    "SetupError",
    "StartMode",
    "StoreUnavailable",
    "StoreUnfit",
    "default",
]
