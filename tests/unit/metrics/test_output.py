"""Where the log lines go."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from onepoller.coordination.errors import SettingsError
from onepoller.metrics import configure_logging
from onepoller.metrics.output import JsonFormatter

LOG = logging.getLogger("onepoller")


@pytest.fixture(autouse=True)
def _logger_as_it_was() -> Iterator[None]:
    """Put the logger back."""
    before = LOG.handlers[:], LOG.level, LOG.propagate
    yield
    LOG.handlers[:], LOG.level, LOG.propagate = before


@pytest.mark.parametrize("log_format", [None, ""])
def test_by_default_nothing_is_added(log_format: str | None) -> None:
    """No handler: a NullHandler, too, would keep Python from printing our warnings by itself."""
    configure_logging(log_format)

    assert LOG.handlers == []
    assert LOG.propagate


@pytest.mark.parametrize(
    ("log_format", "line"),
    [("text", "INFO onepoller: polling bot 42"), ("json", '"message": "polling bot 42"')],
)
def test_a_format_writes_to_stderr_from_info_on(
    log_format: str, line: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Once, however often it is asked for, and nowhere else."""
    configure_logging(log_format)
    configure_logging(log_format)
    LOG.debug("409 for bot %s", 42)
    LOG.info("polling bot %s", 42)

    (written,) = capsys.readouterr().err.splitlines()
    assert line in written
    assert caplog.records == []


def test_another_format_replaces_the_first() -> None:
    """The user's own handlers stay."""
    own = logging.NullHandler()
    LOG.addHandler(own)
    configure_logging("text")
    configure_logging("json")

    assert [type(handler.formatter) for handler in LOG.handlers] == [type(None), JsonFormatter]


def test_an_unknown_format_is_told_at_once() -> None:
    """With what is allowed."""
    with pytest.raises(SettingsError, match="the log format must be one of text, json, not 'xml'"):
        configure_logging("xml")


def test_json_has_the_fields_of_the_event(caplog: pytest.LogCaptureFixture) -> None:
    """Beside the usual four, in one flat object."""
    LOG.warning("deaf: bot %s", 42, extra={"onepoller": {"event": "stalled", "bot_id": 42}})
    line = json.loads(JsonFormatter().format(caplog.records[0]))

    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "warning",
        "logger": "onepoller",
        "message": "deaf: bot 42",
        "event": "stalled",
        "bot_id": 42,
    }


def test_json_has_the_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """As one text, redacted where the record was."""
    try:
        {}["gone"]  # type: ignore[index]  # fails, as it should
    except KeyError:
        LOG.exception("failed", stack_info=True)
    line = json.loads(JsonFormatter().format(caplog.records[0]))

    assert line["exception"].endswith("KeyError: 'gone'")
    assert line["stack"].startswith("Stack (most recent call last):")
