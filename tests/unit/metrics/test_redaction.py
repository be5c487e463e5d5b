"""Tokens in what libraries log, raise and print: none comes out."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest
from telegram import Bot
from telegram.error import InvalidToken

from onepoller.metrics import install_redaction, redact, uninstall_redaction
from onepoller.metrics.output import JsonFormatter

LOG = logging.getLogger("a.library")
CANARY = "7000000001:AAH-canary-canary-canary-canary-cana"
HIDDEN = "7000000001:***"


class Sink(logging.Handler):
    """Keeps records, as a handler of somebody's gets them."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        self.records.append(record)


@pytest.fixture
def sink() -> Iterator[Sink]:
    """Give a handler at the root, with redaction installed."""
    sink, root = Sink(), logging.getLogger()
    install_redaction()
    root.addHandler(sink)
    yield sink
    root.removeHandler(sink)
    uninstall_redaction()


def everything(record: logging.LogRecord) -> str:
    """Give all that a formatter could make of a record: its text, its parts, and both of ours."""
    parts = [str(record.msg), repr(record.args), record.exc_text or "", record.stack_info or ""]
    if record.exc_info:
        parts.append(logging.Formatter().formatException(record.exc_info))
    return "\n".join([*parts, logging.Formatter().format(record), JsonFormatter().format(record)])


class Quoting:
    """An object whose text holds a token."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __repr__(self) -> str:
        return f"<Response [https://api.telegram.org/bot{self._token}/getMe]>"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("https://h/bot{}/getUpdates", "https://h/bot7000000001:***/getUpdates", id="in a path"),
        pytest.param("'{}'", "'7000000001:***'", id="in quotes"),
        pytest.param("{} and {}", "7000000001:*** and 7000000001:***", id="twice"),
        pytest.param("nothing", "nothing", id="no token"),
        pytest.param("12:34:56 id 7000000001: x", "12:34:56 id 7000000001: x", id="times and ids"),
    ],
)
def test_a_token_becomes_its_bot_id(canary: str, before: str, after: str) -> None:
    """The line stays useful."""
    assert redact(before.replace("{}", canary)) == after


def test_a_percent_encoded_token_is_found_too(canary: str) -> None:
    """Some clients quote the colon."""
    assert redact(f"/bot{canary.replace(':', '%3A')}/getMe") == "/bot7000000001:***/getMe"


def test_redaction_may_be_repeated(canary: str) -> None:
    """What is clean stays as it is."""
    assert redact(redact(canary)) == HIDDEN


def test_the_request_line_of_httpx_is_clean(sink: Sink, canary: str) -> None:
    """One at INFO for each poll, with the URL as an object among the arguments."""
    with httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(409))) as client:
        client.get(f"https://api.telegram.org/bot{canary}/getUpdates")
    (record,) = [record for record in sink.records if record.name == "httpx"]

    assert record.getMessage() == (
        'HTTP Request: GET https://api.telegram.org/bot7000000001:***/getUpdates "HTTP/1.1 409 Conflict"'
    )
    assert canary not in everything(record)


def test_a_clean_record_is_left_as_it_is(sink: Sink) -> None:
    """Arguments keep their types, the exception stays alive."""
    url = httpx.URL("https://example.org/")
    try:
        {}["gone"]  # type: ignore[index]  # fails, as it should
    except KeyError:
        LOG.exception("get %s: %d, %.1f", url, 1, 2.0)
    (record,) = sink.records

    assert record.args == (url, 1, 2.0)
    assert record.exc_info is not None


def test_only_the_argument_with_the_token_is_changed(sink: Sink, canary: str) -> None:
    """The template stays, by which collectors group."""
    LOG.warning("%s after %d s", f"/bot{canary}/getMe", 3)
    (record,) = sink.records

    assert (record.msg, record.args) == ("%s after %d s", ("/bot7000000001:***/getMe", 3))


@pytest.mark.usefixtures("sink")
@pytest.mark.parametrize(
    ("template", "args"),
    [
        pytest.param(f"bot{CANARY} 100%", (), id="in the template"),
        pytest.param("bot%s:%s", tuple(CANARY.split(":")), id="in two parts"),
        pytest.param("%(url)s", ({"url": CANARY},), id="in a mapping"),
        pytest.param("%(ok)s", ({"ok": 1, "url": CANARY},), id="in a part of a mapping that is not shown"),
        pytest.param("%s %s", (CANARY,), id="in a call that logging cannot format"),
        pytest.param("%r", (Quoting(CANARY),), id="in an object"),
        pytest.param("%s", ([Quoting(CANARY)],), id="in a list"),
    ],
)
def test_no_part_of_a_record_holds_the_token(template: str, args: tuple[object, ...]) -> None:
    """Formatters of others use message, template and arguments as they like."""
    record = LOG.makeRecord(LOG.name, logging.WARNING, "file.py", 1, template, args, None)
    parts = f"{record.msg} {record.args!r}"
    with suppress(TypeError):  # the wrong call stays wrong, and is told by logging
        parts += record.getMessage()

    assert CANARY.partition(":")[2] not in parts


def test_an_exception_as_message_is_clean(sink: Sink, canary: str) -> None:
    """`logger.error(exc)` is common."""
    LOG.error(InvalidToken(f"The token `{canary}` was rejected by the server."))

    assert sink.records[0].getMessage() == f"The token `{HIDDEN}` was rejected by the server."


@pytest.mark.usefixtures("sink")
def test_a_stack_is_clean(canary: str) -> None:
    """Its source lines may hold a token."""
    factory = logging.getLogRecordFactory()
    record = factory("x", logging.INFO, "f", 1, "ok", (), None, sinfo=f"Stack: {canary}")

    assert record.stack_info == f"Stack: {HIDDEN}"


def fail(token: str) -> None:
    """Raise an error with a token in its cause and in a note."""
    error = RuntimeError("no way out")
    error.add_note(f"token {token}")
    raise error from httpx.ConnectError(f"https://h/bot{token}/getMe")


def test_a_traceback_is_clean_with_all_that_it_is_chained_to(sink: Sink, canary: str) -> None:
    """Cause and notes; the live exception is not handed on."""
    try:
        fail(canary)
    except RuntimeError:
        LOG.exception("failed", stack_info=True)
    (record,) = sink.records
    text = everything(record)

    assert canary not in text
    assert "ConnectError: https://h/bot7000000001:***/getMe" in text
    assert "RuntimeError: no way out\ntoken 7000000001:***" in text
    assert record.exc_info is None


def test_what_python_telegram_bot_raises_is_clean(sink: Sink, canary: str) -> None:
    """InvalidToken quotes the whole token."""

    async def start() -> None:
        async with httpx.AsyncClient(
            transport=httpx.MockTransport(lambda _: httpx.Response(401, json={"ok": False}))
        ) as client:
            bot = Bot(canary)
            request = bot._request[1]
            await request.initialize()
            await request.shutdown()
            request._client = client  # type: ignore[attr-defined]  # the transport is the test's
            await bot.initialize()

    try:
        asyncio.run(start())
    except InvalidToken:
        LOG.exception("cannot start")
    record = sink.records[-1]

    assert f"InvalidToken: The token `{HIDDEN}` was rejected by the server." in everything(record)
    assert [r.getMessage() for r in sink.records if canary in everything(r)] == []


def test_asyncio_reports_clean(sink: Sink, canary: str) -> None:
    """A task whose exception nobody took is told with its repr."""

    async def lose_a_task() -> None:
        loop = asyncio.get_running_loop()
        loop.call_exception_handler(
            {"message": "lost", "exception": ValueError(canary), "future": Quoting(canary)}
        )

    asyncio.run(lose_a_task())
    (record,) = [
        record for record in sink.records if record.name == "asyncio" and record.levelno > logging.DEBUG
    ]

    assert canary not in everything(record)
    assert f"ValueError: {HIDDEN}" in everything(record)


def test_a_captured_warning_is_clean(sink: Sink, canary: str) -> None:
    """`logging.captureWarnings` writes it as an argument."""
    logging.captureWarnings(capture=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            logging._showwarning(UserWarning(canary), UserWarning, "file.py", 1)  # type: ignore[attr-defined]
    finally:
        logging.captureWarnings(capture=False)

    assert HIDDEN in sink.records[-1].getMessage()
    assert canary not in everything(sink.records[-1])


def test_an_object_without_a_text_does_not_stop_the_program(sink: Sink) -> None:
    """Logging goes on, and says that a line is missing."""

    class Broken:
        def __str__(self) -> str:
            raise RuntimeError

    LOG.warning("%s", Broken())

    assert sink.records[0].getMessage() == (
        "a log line could not be searched for tokens (RuntimeError) and is left out"
    )


def test_the_factory_before_is_asked(canary: str) -> None:
    """Frameworks put in their own; ours is chained, once, and taken out again."""
    plain = logging.getLogRecordFactory()

    def before(*args: object, **kwargs: object) -> logging.LogRecord:
        record = plain(*args, **kwargs)
        record.__dict__["request_id"] = 5
        return record

    logging.setLogRecordFactory(before)
    try:
        install_redaction()
        install_redaction()
        record = logging.getLogRecordFactory()("x", logging.INFO, "f", 1, canary, (), None)
        uninstall_redaction()

        assert (record.getMessage(), record.__dict__["request_id"]) == (HIDDEN, 5)
        assert logging.getLogRecordFactory() is before
    finally:
        logging.setLogRecordFactory(plain)


def test_hooks_are_put_in_once_and_taken_out() -> None:
    """What was there before is there again."""
    hooks = sys.excepthook, sys.unraisablehook
    install_redaction()
    install_redaction()
    uninstall_redaction()

    assert (sys.excepthook, sys.unraisablehook) == hooks


def test_a_hook_of_somebody_else_is_called_and_what_it_prints_is_clean(
    monkeypatch: pytest.MonkeyPatch, canary: str
) -> None:
    """It gets the exception itself; a clean one goes straight through."""
    got: list[BaseException] = []

    def hook(_kind: type[BaseException], error: BaseException, _traceback: object) -> None:
        got.append(error)
        sys.stderr.write(f"crashed: {error}\n")

    monkeypatch.setattr(sys, "excepthook", hook)
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    install_redaction()
    for error in (ValueError(canary), ValueError("clean")):
        sys.excepthook(ValueError, error, None)
    uninstall_redaction()

    assert stderr.getvalue() == f"crashed: {HIDDEN}\ncrashed: clean\n"
    assert [str(error) for error in got] == [canary, "clean"]


PROGRAM = """
import asyncio, gc, logging, sys, threading
from onepoller.metrics import install_redaction

install_redaction()
TOKEN = sys.argv[1]

class Dies:
    def __del__(self):
        raise ValueError("in a destructor " + TOKEN)
    def __repr__(self):
        return "<Dies " + TOKEN + ">"

async def main():
    async def fail():
        raise ValueError("in a task " + TOKEN)
    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del task
    gc.collect()

def fail():
    raise ValueError("in a thread " + TOKEN)

asyncio.run(main())
thread = threading.Thread(target=fail, name="poller of " + TOKEN)
thread.start()
thread.join()
Dies()
logging.warning("%s %s", TOKEN)
raise ValueError("in the end " + TOKEN)
"""


@pytest.mark.slow
def test_a_program_that_fails_in_every_way_prints_no_token(canary: str) -> None:
    """Task, thread, destructor, wrong log call, main thread: all are told, none with the token."""
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), canary],
        capture_output=True,
        check=False,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": ""},
    )
    told = [place for place in ("task", "thread", "destructor", "end") if f"{place} {HIDDEN}" in ran.stderr]

    assert canary not in ran.stderr + ran.stdout
    assert told == ["task", "thread", "destructor", "end"]
    assert "Logging error" in ran.stderr
    assert ran.returncode == 1


def test_json_of_a_redacted_record_is_json(sink: Sink, canary: str) -> None:
    """Quotes and newlines of a traceback are escaped."""
    try:
        fail(canary)
    except RuntimeError:
        LOG.exception("failed")
    line = json.loads(JsonFormatter().format(sink.records[0]))

    assert line["exception"].endswith(f"RuntimeError: no way out\ntoken {HIDDEN}")
