"""The sidecar: a Bot API server in front of Telegram's, for bots in any language (extra `proxy`, aiohttp).

What belongs here: the HTTP of both sides, and which of the clients at one proxy has a bot's turn. Which
instance polls is coordination's business, as for every adapter; a framework is known to nobody here.

    route        where a path leads; anything else is a 404          pure
    turns        which client of this proxy polls a bot               pure
    line         the clients that wait for the turn of a bot
    body         a body that has to be looked into, read within limits; the others streamed
    polls        one getUpdates through the guard
    webhooks     setWebhook and deleteWebhook, as the guard rules
    upstream     everything else, streamed through
    answers      what this proxy says by itself
    connection   one client's connection: when it has gone, when it is too slow
    sockets      all connections: how many there may be, which are too slow
    server       which request goes where; listening and stopping
    files_limit  how many clients fit
"""

__all__: list[str] = []
