"""What a bot and the demo that started it must spell alike."""

TOKEN = "ONEPOLLER_DEMO_TOKEN"  # noqa: S105 - the variable that a bot finds its token in
LOG_PREFIX = "LOG "
"""Begins each record of a bot's log; lines without it are the rest of a traceback."""
