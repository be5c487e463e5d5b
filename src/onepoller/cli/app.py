"""The commands and their options."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from onepoller.cli import handover as handover_command
from onepoller.cli import status as status_command
from onepoller.coordination.errors import OnepollerError, StoreUnavailable

UNAVAILABLE = 69
"""EX_UNAVAILABLE of sysexits.h: the store does not answer."""

app = typer.Typer(
    name="onepoller",
    help="Exactly one poller per Telegram bot token. It tells you who the other one is. It never goes deaf.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

StoreOption = Annotated[
    str | None, typer.Option("--store", metavar="URL", help="file:///DIRECTORY; default: ONEPOLLER_STORE.")
]
StateDirOption = Annotated[
    Path | None,
    typer.Option("--state-dir", metavar="DIRECTORY", help="Default: ONEPOLLER_STATE_DIR, else yours."),
]
BotArgument = Annotated[
    int, typer.Argument(metavar="BOT_ID", min=1, help="The digits before the colon of the token.")
]


def _print_version(asked: bool) -> None:
    if asked:
        print(f"onepoller {version('onepoller')}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options before the command."""


@app.command()
def status(
    bots: Annotated[
        list[int] | None, typer.Argument(metavar="[BOT_ID]...", help="Only these bots; default: all.")
    ] = None,
    store: StoreOption = None,
    state_dir: StateDirOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show who polls each bot, who stands by, and what is wrong. Reads only.

    Examples:

      onepoller status

      onepoller status 123456789 --json
    """
    status_command.show(bots or [], store=store, state_dir=state_dir, as_json=as_json)


@app.command()
def handover(
    bot_id: BotArgument,
    store: StoreOption = None,
    state_dir: StateDirOption = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for it.")] = 30.0,
) -> None:
    """Ask the holder of a bot to hand over to whoever stands by.

    Example:

      onepoller handover 123456789
    """
    handover_command.ask(bot_id, store=store, state_dir=state_dir, timeout=timeout)


@app.command()
def demo() -> None:
    """Watch real bots fight, be healed, and fail over. Takes a minute, needs no network and no token."""
    from onepoller.demo import run

    raise typer.Exit(run())


@app.command("fake-api")
def fake_api(
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where; port 0 takes a free one.")] = (
        "127.0.0.1:8081"
    ),
) -> None:
    """Run the fake Bot API, faithful in all that concerns getUpdates, for tests of your own.

    Example:

      onepoller fake-api --listen 127.0.0.1:8081
    """
    from onepoller.testing import serve

    try:
        serve(listen)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--listen") from None


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit code. Every expected error is one sentence on stderr."""
    command = typer.main.get_command(app)
    try:
        code = command.main(args=arguments, prog_name="onepoller", standalone_mode=False)
    except KeyboardInterrupt:
        return 130
    except typer.Exit as done:
        return done.exit_code
    except typer.Abort:
        return 130
    except StoreUnavailable as error:
        return _say(str(error), UNAVAILABLE)
    except OnepollerError as error:
        return _say(str(error), 2)
    except Exception as error:
        # click's usage errors have a sentence of their own; anything else is a defect and shows its trace.
        sentence = getattr(error, "format_message", None)
        if sentence is None:
            raise
        return _say(sentence(), 2)
    return code if isinstance(code, int) else 0


def _say(sentence: str, code: int) -> int:
    Console(file=sys.stderr, soft_wrap=True, highlight=False).print(f"onepoller: {sentence}", markup=False)
    return code
