"""Tokens taken out of logs and tracebacks at the source, for the libraries that we sit on.

HTTP clients log URLs, and a Bot API URL holds the token; some exceptions quote it. `install_redaction` puts
in, each chained to what was there before: a log record factory (message, arguments, rendered traceback), so
that every handler and formatter is given clean records, and the hooks for uncaught exceptions of the main
thread, of other threads and of destructors. asyncio reports through logging.

A record that holds a token loses its `exc_info`, for that is a live exception with the token inside; the
redacted traceback stays in `exc_text`. Not covered: what a program prints by itself, attributes that it adds
to a record through `extra`, and objects whose text is clean but whose inside is not.
"""

from __future__ import annotations

import io
import logging
import re
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr
from traceback import format_exception
from typing import Any

# Preceded by anything but a digit: the path says bot<token>, so a word boundary would miss it.
_TOKEN = re.compile(r"(?<!\d)(\d{5,16})(?::|%3[Aa])[A-Za-z0-9_-]{30,64}")


def redact(text: str) -> str:
    """Replace every bot token in a text by `<bot_id>:***`."""
    if ":" not in text and "%3" not in text:
        return text
    return _TOKEN.sub(r"\1:***", text)


def install_redaction() -> None:
    """Put the factory and the hooks in, unless they are in place."""
    factory = logging.getLogRecordFactory()
    if not isinstance(factory, _CleanRecords):
        logging.setLogRecordFactory(_CleanRecords(factory))
    for owner, name in _HOOKS:
        hook = getattr(owner, name)
        if not isinstance(hook, _CleanHook):
            setattr(owner, name, _CleanHook(hook))


def uninstall_redaction() -> None:
    """Put back what was there before. What others have chained on top of ours stays, and ours with it."""
    factory = logging.getLogRecordFactory()
    if isinstance(factory, _CleanRecords):
        logging.setLogRecordFactory(factory.before)
    for owner, name in _HOOKS:
        hook = getattr(owner, name)
        if isinstance(hook, _CleanHook):
            setattr(owner, name, hook.before)


_HOOKS: tuple[tuple[Any, str], ...] = (
    (sys, "excepthook"),
    (sys, "unraisablehook"),
    (threading, "excepthook"),
)


class _CleanRecords:
    """A log record factory: what the one before makes, without tokens."""

    def __init__(self, before: Callable[..., logging.LogRecord]) -> None:
        self.before = before

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:  # logging's own signature
        record = self.before(*args, **kwargs)
        try:
            _clean_message(record)
            _clean_traceback(record)
        except Exception as error:  # noqa: BLE001  # an object whose text cannot be made; logging must go on
            record.msg = "a log line could not be searched for tokens (%s) and is left out"
            record.args, record.exc_info, record.exc_text = (type(error).__name__,), None, None
        return record


def _clean_message(record: logging.LogRecord) -> None:
    message = _message_of(record)
    # Of a mapping the template may use some entries only; a wrong call is printed by logging as it stands.
    suspects = message if message is not None and not isinstance(record.args, Mapping) else repr(record.args)
    if message is not None and not _has_token(message) and not _has_token(suspects):
        return
    record.msg = redact(str(record.msg))
    if isinstance(record.args, Mapping):
        record.args = {name: _clean(value) for name, value in record.args.items()}
    elif record.args:
        record.args = tuple(_clean(value) for value in record.args)
    if message is not None:
        again = _message_of(record)
        if again is None or _has_token(
            again
        ):  # the token came about by putting template and arguments together
            record.msg, record.args = redact(message), ()


def _message_of(record: logging.LogRecord) -> str | None:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):  # template and arguments do not fit
        return None


def _clean(value: object) -> object:
    """Give the value itself, or its redacted text where it shows a token."""
    if isinstance(value, int | float | None):
        return value
    for text in (str(value), repr(value)):
        if _has_token(text):
            return redact(text)
    return value


def _clean_traceback(record: logging.LogRecord) -> None:
    if record.stack_info:
        record.stack_info = redact(record.stack_info)
    if record.exc_text:
        record.exc_text = redact(record.exc_text)
    if isinstance(record.exc_info, tuple):
        rendered = "".join(format_exception(*record.exc_info))
        if _has_token(rendered):
            record.exc_text, record.exc_info = redact(rendered).rstrip("\n"), None


def _has_token(text: str) -> bool:
    return (":" in text or "%3" in text) and _TOKEN.search(text) is not None


class _CleanHook:
    """A hook for uncaught exceptions: the one before, what it prints redacted where there is a token."""

    def __init__(self, before: Callable[..., object]) -> None:
        self.before = before

    def __call__(self, *args: Any) -> None:  # three different hooks
        if not _has_token(_shown(args)):
            self.before(*args)
            return
        caught = io.StringIO()
        try:
            with redirect_stderr(caught):
                self.before(*args)
        finally:
            if sys.stderr is not None:
                sys.stderr.write(redact(caught.getvalue()))
                sys.stderr.flush()


def _shown(args: tuple[Any, ...]) -> str:
    """Render what a hook may print: sys.excepthook has three arguments, the others one record."""
    if len(args) > 1:
        return "".join(format_exception(*args))
    record = args[0]
    rendered = "".join(format_exception(record.exc_type, record.exc_value, record.exc_traceback))
    parts = (getattr(record, name, "") for name in ("object", "err_msg", "thread"))
    return rendered + "".join(repr(part) for part in parts)
