// A bot in JavaScript as people write it: `bots.cjs grammy|runner|telegraf NAME ROOT TOKEN`.
// Nothing in it knows of onepoller; ROOT is all that is set. It tells what it handles, a JSON object a line,
// and ends with its stdin.
"use strict";
const fs = require("node:fs");

const [kind, name, apiRoot, token] = process.argv.slice(2);
const say = (fields) => fs.writeSync(1, JSON.stringify({ pid: process.pid, ...fields }) + "\n");
const handle = (ctx) => say({ handled: ctx.update.update_id, by: name });

process.stdin.on("end", () => process.exit(0)).resume();

const start = {
  grammy() {
    const { Bot } = require("grammy");
    const bot = new Bot(token, { client: { apiRoot } });
    bot.on("message", handle);
    bot.start({ timeout: 2 });
  },
  runner() {
    const { Bot } = require("grammy");
    const { run } = require("@grammyjs/runner");
    const bot = new Bot(token, { client: { apiRoot } });
    bot.on("message", handle);
    run(bot, { runner: { fetch: { timeout: 2 } } });
  },
  telegraf() {
    const { Telegraf } = require("telegraf");
    const bot = new Telegraf(token, { telegram: { apiRoot } });
    bot.on("message", handle);
    bot.launch();
  },
};

start[kind]();
