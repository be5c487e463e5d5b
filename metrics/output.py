"""Where the log lines go, if we are told: stderr, as text or as JSON. By default we add nothing at all.

Without any handler Python itself prints warnings and errors to stderr (`logging.lastResort`), so a second
terminal shows why it stands by, whoever has set up nothing. The `NullHandler` that libraries often add would
silence just that. INFO lines need `logging.basicConfig(level="INFO")`, or `ONEPOLLER_LOG_FORMAT`.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime

from onepoller.coordination.errors import SettingsError


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the fields of our own events."""

    def format(self, record: logging.LogRecord) -> str:
        """Render a record."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "onepoller", {}),
        }
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            line["exception"] = record.exc_text
        if record.stack_info:
            line["stack"] = record.stack_info
        return json.dumps(line, default=str, ensure_ascii=False)


_FORMATS: dict[str, Callable[[], logging.Formatter]] = {
    "text": lambda: logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"),
    "json": JsonFormatter,
}


def configure_logging(log_format: str | None) -> None:
    """Do as `ONEPOLLER_LOG_FORMAT` says: `text` or `json` on stderr; None or empty: nothing.

    Raises SettingsError for another word.
    """
    if log_format:
        attach_stderr(log_format)


def attach_stderr(log_format: str) -> None:
    """Write the lines of the logger `onepoller` to stderr, from INFO on, and nowhere else.

    A second call changes the format.
    """
    formatter = _FORMATS.get(log_format)
    if formatter is None:
        raise SettingsError(f"the log format must be one of {', '.join(_FORMATS)}, not {log_format!r}")
    logger = logging.getLogger("onepoller")
    for handler in [handler for handler in logger.handlers if isinstance(handler, _OurHandler)]:
        logger.removeHandler(handler)
    handler = _OurHandler(sys.stderr)
    handler.setFormatter(formatter())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


class _OurHandler(logging.StreamHandler):  # type: ignore[type-arg]  # generic in the stubs alone
    """The handler of `attach_stderr`, to be found again."""
