"""The scripts that run on the server, each one atomic step. None has an opinion on who is next.

A claim is kept as `VERSION HOLDER TERM HEIR CLEAN REST` (see `rows`); nobody is written `-`. Terms may be
larger than a number in Lua holds exactly: they are passed through as text. Every key is declared, as a
cluster wants. A session is living here if our data are still those in which it was opened and nobody has
ended it: a beat never makes a session of other data, or one that was ended, live again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Script:
    """A script and its name on the server."""

    text: str
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sha", hashlib.sha1(self.text.encode()).hexdigest())  # noqa: S324  # as Redis does


_NOTE = """
local function note(generation, changed, bots)
  local now, scored = redis.call('INCR', generation), {}
  for i, bot in ipairs(bots) do scored[2 * i - 1], scored[2 * i] = now, bot end
  for i = 1, #scored, 4000 do
    redis.call('ZADD', changed, unpack(scored, i, math.min(i + 3999, #scored)))
  end
end
"""
_LIVING = """
local function is_living()
  local kept = redis.call('HMGET', KEYS[2], 'begun', 'over')
  return kept[1] and not kept[2] and kept[1] == redis.call('GET', KEYS[1])
end
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
"""

BEGIN = Script(
    _LIVING
    + """
-- KEYS: begun, generation, alive... ARGV: run, begun as it was seen, lease...
local begun = redis.call('GET', KEYS[1]) or ''
if begun ~= ARGV[2] then return begun end
local created = math.max(now(), (tonumber(string.match(begun, '^%d+')) or 0) + 1)
begun = string.format('%d %s', created, ARGV[1])
redis.call('SET', KEYS[1], begun)
redis.call('INCR', KEYS[2])
-- Who held a claim may not know yet that its session is over: for a lease nobody is taken for dead.
for i = 3, #KEYS do redis.call('SET', KEYS[i], 1, 'PX', ARGV[i]) end
return begun
"""
)
"""Note that our data begin (again) on this run of the server; gives what stands then."""

ENTER = Script(
    _LIVING
    + """
-- KEYS: begun, session, alive, sessions, generation. ARGV: begun, id, identity, lease, keep
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[2], 'begun', ARGV[1], 'identity', ARGV[3], 'lease', ARGV[4], 'at', now())
redis.call('PEXPIRE', KEYS[2], ARGV[5])
redis.call('SET', KEYS[3], 1, 'PX', ARGV[4])
redis.call('SADD', KEYS[4], ARGV[2])
redis.call('INCR', KEYS[5])
return 1
"""
)
"""Add a session; 0 where our data are not those any more."""

BEAT = Script(
    _LIVING
    + """
-- KEYS: begun, session, alive, wishes. ARGV: lease, keep, report or nothing
if not is_living() then return 0 end
-- A server without memory left refuses SET and HSET, but not this.
if redis.call('PEXPIRE', KEYS[3], ARGV[1]) == 0 then redis.call('SET', KEYS[3], 1, 'PX', ARGV[1]) end
redis.call('PEXPIRE', KEYS[2], ARGV[2])
redis.call('PEXPIRE', KEYS[4], ARGV[2])
redis.pcall('HSET', KEYS[2], 'at', now())
if ARGV[3] then redis.pcall('HSET', KEYS[2], 'report', ARGV[3]) end
return 1
"""
)
"""Renew a session's lease; 0 where it is over."""

SWAP = Script(
    _LIVING
    + _NOTE
    + """
-- KEYS: begun, session, claims, wishes, generation, changed, arrivals; then session, alive, wishes of each
-- required one.
-- ARGV: keep, batch: swaps {bot, expected, next, holder, term, term of a new holder, tail, required or 0},
-- wishes {bot, text}, withdrawn {bot}, wake {channel}
if not is_living() then return 0 end
local batch = cjson.decode(ARGV[2])
local is_changed, changed, over = false, {}, {}

local function is_over(n)
  if over[n] ~= nil then return over[n] end
  local session, alive, wishes = KEYS[5 + 3 * n], KEYS[6 + 3 * n], KEYS[7 + 3 * n]
  local kept = redis.call('HMGET', session, 'begun', 'over')
  over[n] = true
  if kept[1] and not kept[2] then
    over[n] = redis.call('EXISTS', alive) == 0
    if over[n] then
      redis.call('HSET', session, 'over', 1)
      redis.call('DEL', wishes)
      is_changed = true
    end
  end
  return over[n]
end

local function values(key, entries)
  local bots = {}
  for i, entry in ipairs(entries) do bots[i] = entry[1] end
  return #bots > 0 and redis.call('HMGET', key, unpack(bots)) or {}
end

local function put(key, entries)
  if #entries > 0 then
    redis.call('HSET', key, unpack(entries))
    for i = 1, #entries, 2 do changed[#changed + 1] = entries[i] end
  end
end

local told, written, refused = {}, {}, {}
local standing = values(KEYS[3], batch.swaps)
for i, swap in ipairs(batch.swaps) do
  local bot, expected, following, holder, term, new_term, tail, required = unpack(swap)
  local version, former = '0', ''
  if standing[i] then version, former = string.match(standing[i], '^(%d+) (%S+)') end
  if version == expected and (required == 0 or is_over(required)) then
    told[i] = '1'
    if holder ~= former then told[i], term = '2', new_term end
    written[#written + 1] = bot
    written[#written + 1] = following .. ' ' .. holder .. ' ' .. term .. ' ' .. tail
  else
    told[i] = '0'
    refused[bot] = true
  end
end
put(KEYS[3], written)

local wished = {}
standing = values(KEYS[4], batch.wishes)
for i, wish in ipairs(batch.wishes) do
  local since, text
  if standing[i] then since, text = string.match(standing[i], '^(%d+) (.*)$') end
  if text ~= wish[2] then
    wished[#wished + 1] = wish[1]
    wished[#wished + 1] = (since or string.format('%d', redis.call('INCR', KEYS[7]))) .. ' ' .. wish[2]
  end
end
put(KEYS[4], wished)

local withdrawn = {}
for _, bot in ipairs(batch.withdrawn) do
  if not refused[bot] then withdrawn[#withdrawn + 1] = bot end
end
if #withdrawn > 0 and redis.call('HDEL', KEYS[4], unpack(withdrawn)) > 0 then
  for _, bot in ipairs(withdrawn) do changed[#changed + 1] = bot end
end

if #wished > 0 then redis.call('PEXPIRE', KEYS[4], ARGV[1]) end
if is_changed or #changed > 0 then note(KEYS[5], KEYS[6], changed) end
for _, channel in ipairs(batch.wake) do redis.call('PUBLISH', channel, '') end
return table.concat(told)
"""
)
"""Write a part of a batch: for each swap 0 (refused), 1 (written) or 2 (has a new holder); 0 alone: over."""

LEAVE = Script(
    _LIVING
    + """
-- KEYS: begun, session, alive, wishes, sessions, generation. ARGV: id
if not is_living() then return 0 end
redis.call('DEL', KEYS[2], KEYS[3], KEYS[4])
redis.call('SREM', KEYS[5], ARGV[1])
redis.call('INCR', KEYS[6])
return 1
"""
)
"""End our own session: whoever is not known is over. Its claims are freed by `FREE`."""

FREE = Script(
    _NOTE
    + """
-- KEYS: claims, generation, changed. ARGV: id, cursor
local page = redis.call('HSCAN', KEYS[1], ARGV[2], 'COUNT', 1000)
local freed, bots = {}, {}
for i = 1, #page[2], 2 do
  local version, holder, term, rest =
    string.match(page[2][i + 1], '^(%d+) (%S+) (%d+) %S+ %d (.*)$')
  if holder == ARGV[1] then
    bots[#bots + 1] = page[2][i]
    freed[#freed + 1] = page[2][i]
    freed[#freed + 1] = string.format('%d', version + 1) .. ' - ' .. term .. ' - 0 ' .. rest
  end
end
for i = 1, #freed, 2000 do redis.call('HSET', KEYS[1], unpack(freed, i, math.min(i + 1999, #freed))) end
if #freed > 0 then note(KEYS[2], KEYS[3], bots) end
return page[1]
"""
)
"""Free the claims of a session that is over, page by page; gives the next page's cursor, 0 at the end."""

END = Script(
    _LIVING
    + """
-- KEYS: begun, session, session of the dead, its alive, its wishes, generation. ARGV: channel, its id
if not is_living() then return 0 end
local kept = redis.call('HMGET', KEYS[3], 'begun', 'over')
if kept[1] and not kept[2] then
  redis.call('HSET', KEYS[3], 'over', 1)
  redis.call('DEL', KEYS[4], KEYS[5])
  redis.call('INCR', KEYS[6])
  redis.call('PUBLISH', ARGV[1], ARGV[2])
end
return 1
"""
)
"""End another session on the caller's proof; 0 where our own is over."""

FORGET = Script(
    """
-- KEYS: session, alive, wishes, sessions. ARGV: id
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
redis.call('DEL', KEYS[1], KEYS[3])
return redis.call('SREM', KEYS[4], ARGV[1])
"""
)
"""Forget a session that does not keep its lease; it is over then, as everybody who is not known."""

PICK = Script(
    """
-- KEYS: a hash. ARGV: fields. One text is read much faster by the client than as many values.
local values = redis.call('HMGET', KEYS[1], unpack(ARGV))
for i, value in ipairs(values) do values[i] = value or '' end
return table.concat(values, '\\n')
"""
)
"""The values of these fields, a line each."""

SINCE = Script(
    """
-- KEYS: changed. ARGV: generation
return table.concat(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[1], '+inf'), ' ')
"""
)
"""The bots whose claim or wishes were written after this generation."""

PAGE = Script(
    """
-- KEYS: a hash. ARGV: cursor
local page = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', 1000)
local lines = {}
for i = 1, #page[2], 2 do lines[#lines + 1] = page[2][i] .. ' ' .. page[2][i + 1] end
return {page[1], table.concat(lines, '\\n')}
"""
)
"""Some of a hash, `FIELD VALUE` a line, and the cursor of the next page, 0 at the end."""

TEXTS = {
    script.sha: script.text
    for script in (BEGIN, ENTER, BEAT, SWAP, LEAVE, FREE, END, FORGET, PICK, SINCE, PAGE)
}
"""By the name that the server gives them."""
