"""Who plays: every process that an act needs is started here, up to the moment before its first call."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Sequence
from functools import partial

from onepoller.demo.bots import Bot, Bots
from onepoller.demo.crew import Crew
from onepoller.demo.languages import Language
from onepoller.demo.pairs import Pair, url_of
from onepoller.demo.screen import Screen
from onepoller.demo.stage import Pace, Stage
from onepoller.demo.terms import TOKEN
from onepoller.testing.botapi import Control

PLAIN_BOT = 7000000101
GUARDED_BOT = 7000000102
BARE_BOT = 7000000103
PROXIED_BOT = 7000000104
WORK = 0.02
"""Seconds that a guarded bot takes to handle a message: the framework's own queue is not always empty."""


def cast(bots: Bots, control: Control, screen: Screen, pace: Pace, language: Language) -> Stage:
    """Start everybody, and wait until they are ready."""
    # The proxies come first: the bots behind them need their URLs.
    proxies = [_proxy(bots, control, f"proxy-{number}") for number in range(1, pace.pairs + 2)]
    plain, guarded = _plain(bots), _guarded(bots, pace)
    pairs, bare = _pairs(bots, language, proxies), _bare(bots, control, language)
    _wait_ready(screen, [*plain, *guarded, *bare, *pairs])
    return Stage(
        control=control,
        screen=screen,
        pace=pace,
        language=language,
        plain=Crew(control=control, bot_id=PLAIN_BOT, spare=plain),
        guarded=Crew(control=control, bot_id=GUARDED_BOT, spare=guarded),
        bare=Crew(control=control, bot_id=BARE_BOT, spare=bare),
        pairs=Crew(control=control, bot_id=PROXIED_BOT, spare=pairs),
    )


def _plain(bots: Bots) -> list[Bot]:
    token = _token(PLAIN_BOT)
    return [bots.start(f"bot-{number}", token, is_guarded=False, settings={}) for number in (1, 2)]


def _guarded(bots: Bots, pace: Pace) -> list[Bot]:
    token = _token(GUARDED_BOT)
    starts: list[dict[str, str]] = [{}] * (pace.kills + 2) + [{"ONEPOLLER_START": "takeover"}] * pace.deploys
    return [
        bots.start(f"bot-{number}", token, is_guarded=True, work=WORK, settings=bots.meeting | chosen)
        for number, chosen in enumerate(starts, start=1)
    ]


def _proxy(bots: Bots, control: Control, name: str) -> Bot:
    command = [sys.executable, "-m", "onepoller.demo.sidecar"]
    options = ["--listen", "127.0.0.1:0", "--api-root", _root(control, name)]
    return bots.run(name, command + options, bots.meeting, make=Bot)


def _pairs(bots: Bots, language: Language, proxies: Sequence[Bot]) -> list[Bot]:
    settings = {**language.settings, TOKEN: _token(PROXIED_BOT)}
    return [
        bots.run(proxy.name, language.behind(url_of(proxy)), settings, make=partial(Pair, proxy=proxy))
        for proxy in proxies
    ]


def _bare(bots: Bots, control: Control, language: Language) -> list[Bot]:
    settings = {**language.settings, TOKEN: _token(BARE_BOT)}
    names = [f"bare-{number}" for number in (1, 2)]
    return [bots.run(name, language.behind(_root(control, name)), settings, make=Bot) for name in names]


def _root(control: Control, name: str) -> str:
    """Give the fake's URL for whoever is to have this name in its journal."""
    return f"{control.url}/_as/{name}"


def _wait_ready(screen: Screen, bots: Sequence[Bot]) -> None:
    with screen.moving() as shown:
        for number, bot in enumerate(bots, start=1):
            bot.wait_said("ready")
            shown(number / len(bots), [f"Set-up (does not count): {number} of {len(bots)} bots are ready."])


def _token(bot_id: int) -> str:
    return f"{bot_id}:{secrets.token_urlsafe(32)[:35]}"
