"""What the bots of act 6 are written in: grammY where it is there already, else plain loops over HTTP.

Nothing is fetched for it: node's packages are used where NODE_PATH names them or the tests have put them.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from onepoller.demo.terms import TOKEN

BUILD = Path(__file__).resolve().parents[3] / "build"
"""Where a checkout has what its tests install."""

GRAMMY = """
// A grammY bot as people write it; apiRoot is all that is set. What it adds is for the demo: it says what it
// handled and what it was refused, begins with the first line of its stdin, and ends with it.
const fs = require("node:fs");
const { Bot } = require("grammy");
const [apiRoot, variable] = process.argv.slice(1);
const say = (fields) => fs.writeSync(1, JSON.stringify(fields) + "\\n");

const bot = new Bot(process.env[variable], { client: { apiRoot } });
bot.api.config.use(async (call, ...rest) => {
  const reply = await call(...rest);
  if (!reply.ok) say({ refused: reply.error_code });
  return reply;
});
bot.on("message", (ctx) => say({ handled: ctx.update.update_id }));

process.stdin.on("end", () => process.exit(0)).once("data", () => bot.start());
say({ ready: true });
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """How a bot is run: the command, to which its base URL and the variable of its token are added."""

    name: str
    words: str
    """For the watcher."""
    command: tuple[str, ...] = field(repr=False)
    settings: Mapping[str, str] = field(default_factory=dict)
    exits_on_conflict: bool = False
    """As it is without onepoller."""

    def behind(self, url: str) -> list[str]:
        """Give the command of a bot whose base URL is this."""
        return [*self.command, url, TOKEN]


LOOPS = Language(
    name="plain loops",
    words="The bots are two plain loops over HTTP, as in any language: here Python's standard library alone. "
    "(With node and grammY at hand they would be grammY bots.)",
    command=(sys.executable, str(Path(__file__).with_name("loop.py"))),
)


def grammy(places: list[Path]) -> Language | None:
    """Give JavaScript with grammY, if node is there and one of these places has the package."""
    node = shutil.which("node")
    found = next((place for place in places if (place / "grammy" / "package.json").is_file()), None)
    if node is None or found is None:
        return None
    return Language(
        name="grammY",
        words="The bots are JavaScript, written with grammY and run by node.",
        command=(node, "-e", GRAMMY),
        settings={"NODE_PATH": str(found)},
        exits_on_conflict=True,
    )


def places() -> list[Path]:
    """Give the folders that may hold node's packages."""
    named = [Path(place) for place in os.environ.get("NODE_PATH", "").split(os.pathsep) if place]
    return [*named, *sorted(BUILD.glob("node-*/node_modules"))]


def at_hand() -> Language:
    """Give what can be run here and now."""
    return grammy(places()) or LOOPS
