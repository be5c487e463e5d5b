"""The commands and their options."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from onepoller.adapters.command.restart import Restart
from onepoller.cli import handover as handover_command
from onepoller.cli import status as status_command
from onepoller.coordination.errors import OnepollerError, SetupError, StoreUnavailable

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
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="file:///DIRECTORY, or a server, such as redis://HOST; default: ONEPOLLER_STORE.",
    ),
]
StateDirOption = Annotated[
    Path | None,
    typer.Option(
        "--state-dir",
        metavar="DIRECTORY",
        help="The store, or this host's lock files beside a server; default: ONEPOLLER_STATE_DIR.",
    ),
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
def doctor(  # noqa: PLR0917  # typer calls it by name
    token_env: Annotated[
        str, typer.Option(metavar="NAME", help="The variable that holds the token.")
    ] = "TELEGRAM_BOT_TOKEN",  # noqa: S107  # its name
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    probe: Annotated[
        int | None,
        typer.Option(metavar="SECONDS", min=1, max=50, help="Also wait at Telegram, to see who else does."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Probe without asking.")] = False,
    wait: Annotated[
        float, typer.Option(metavar="SECONDS", min=1, max=600, help="Between the two looks at Telegram.")
    ] = 5.0,
    api_root: Annotated[
        str, typer.Option(metavar="URL", envvar="TELEGRAM_API_ROOT", help="Where the Bot API is.")
    ] = "https://api.telegram.org",
    store: StoreOption = None,
    state_dir: StateDirOption = None,
) -> None:
    """Say what is wrong with a bot, with the evidence, and what to do. Reads only, without --probe.

    Exit code: 0 nothing is wrong, 1 a problem was found, 2 wrong usage, 69 Telegram cannot be reached.

    Examples:

      onepoller doctor

      onepoller doctor --token-env BOT_TOKEN --json

      onepoller doctor --probe 8
    """
    from onepoller.cli import doctor as doctor_command

    given = doctor_command.Given(
        token_env=token_env,
        api_root=api_root,
        store=store,
        state_dir=state_dir,
        as_json=as_json,
        wait=wait,
        probe=probe,
        yes=yes,
    )
    raise typer.Exit(doctor_command.run(given, os.environ))


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
def move(
    to: Annotated[str, typer.Option("--to", metavar="URL", help="The new store.")],
    bots: Annotated[
        list[int] | None,
        typer.Argument(metavar="[BOT_ID]...", help="Only these bots; default: all that are polled."),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="URL", help="The old store; default: ONEPOLLER_STORE, else a directory."
        ),
    ] = None,
    state_dir: StateDirOption = None,
) -> None:
    """Let instances with a new store follow those with the old one, without a conflict. Ends with Ctrl-C.

    Start it, start the new instances, which stand by, and end the old ones: the new ones poll then. Leave it
    running until no old instance can start again. It needs no token.

    Example:

      onepoller move --from file:///var/lib/bots --to redis://redis:6379/0
    """
    from onepoller.cli import move as move_command

    given = move_command.Given(bots=bots or [], old=store, new=to, state_dir=state_dir)
    raise typer.Exit(move_command.run(given))


@app.command(context_settings={"allow_interspersed_args": False})
def run(  # noqa: PLR0917  # typer calls it by name
    command: Annotated[list[str], typer.Argument(metavar="-- COMMAND...", help="The bot, as it is.")],
    bot: Annotated[
        int | None, typer.Option(metavar="BOT_ID", min=1, help="The bot; default: by its token.")
    ] = None,
    token_env: Annotated[
        str, typer.Option(metavar="NAME", help="The variable that holds the token.")
    ] = "TELEGRAM_BOT_TOKEN",  # noqa: S107  # its name
    grace: Annotated[
        float,
        typer.Option(help="Seconds between SIGTERM and SIGKILL for COMMAND and what it started."),
    ] = 10.0,
    restart: Annotated[
        Restart, typer.Option(help="Start COMMAND again after its end; the pauses grow to a minute.")
    ] = Restart.NEVER,
    proxy: Annotated[
        bool, typer.Option("--proxy", help="Have COMMAND poll through a private proxy: 409s are handled too.")
    ] = False,
    proxy_env: Annotated[
        str, typer.Option(metavar="NAME", help="The variable that tells COMMAND the proxy's URL.")
    ] = "TELEGRAM_API_ROOT",
    api_root: Annotated[
        str, typer.Option(metavar="URL", help="Where the proxy finds the Bot API.")
    ] = "https://api.telegram.org",
    store: StoreOption = None,
    state_dir: StateDirOption = None,
) -> None:
    """Run a bot that you cannot change, only while this instance holds its claim; else wait.

    On a handover, or when the claim is lost, COMMAND and its process group are ended before another instance
    may start. Signals are forwarded; the exit code is COMMAND's, 128 + n where signal n ended it.

    Without --proxy, run knows only that COMMAND lives, not whether it polls: it sees no 409 and no dead poll
    loop. With it COMMAND must send its requests to the URL in the variable.

    Examples:

      onepoller run -- python bot.py

      onepoller run --bot 123456789 --restart on-failure --grace 20 -- node bot.js

      onepoller run --proxy --proxy-env BOT_API_URL -- ./bot
    """
    from onepoller.cli import run as run_command

    given = run_command.Given(
        command=command,
        bot=bot,
        token_env=token_env,
        grace=grace,
        restart=restart,
        proxy=proxy,
        proxy_env=proxy_env,
        api_root=api_root,
        store=store,
        state_dir=state_dir,
    )
    raise typer.Exit(run_command.run(given, os.environ))


@app.command()
def proxy(  # noqa: PLR0917  # typer calls it by name
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where; port 0 takes a free one.")] = (
        "127.0.0.1:8081"
    ),
    api_root: Annotated[
        str, typer.Option(metavar="URL", help="Where the Bot API is.")
    ] = "https://api.telegram.org",
    store: StoreOption = None,
    state_dir: StateDirOption = None,
    metrics: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Default: ONEPOLLER_METRICS, else none.")
    ] = None,
    allow_bot: Annotated[
        list[int] | None,
        typer.Option(metavar="BOT_ID", min=1, help="Serve this bot and no others; may be repeated."),
    ] = None,
) -> None:
    """Stand between bots and the Bot API, so that each bot has one poller. For bots in any language.

    A bot sets the base URL of its library to http://127.0.0.1:8081 and changes nothing else. Two proxies on
    one host, or with one store, are a hot standby pair.

    Examples:

      onepoller proxy

      onepoller proxy --listen 0.0.0.0:8081 --allow-bot 123456789 --metrics 127.0.0.1:9409

      onepoller proxy --api-root http://127.0.0.1:8082
    """
    from onepoller.cli import proxy as proxy_command

    given = proxy_command.Given(
        listen=listen,
        api_root=api_root,
        store=store,
        state_dir=state_dir,
        metrics=metrics,
        bots=allow_bot or [],
    )
    proxy_command.run(given, os.environ)


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
    except OSError as error:
        raise SetupError(f"--listen {listen} cannot be had: {error.strerror or error}") from None


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
