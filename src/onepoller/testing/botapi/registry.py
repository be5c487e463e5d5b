"""Which bots and tokens the server knows, and which of them it lets through.

A bot comes into being by being asked for, a token by its first call. Every well-formed token is authorised
until its bot is revoked, unless the rules say that only known ones are.
"""

from collections import defaultdict
from random import Random

from onepoller.testing.botapi.bot import Bot
from onepoller.testing.botapi.call import Call
from onepoller.testing.botapi.client import Client, State, successor
from onepoller.testing.botapi.query import Desk
from onepoller.testing.botapi.replies import ALREADY_CLOSED, UNAUTHORIZED, Reply, retry_after
from onepoller.testing.botapi.tokens import TEST_DC, bot_id_of, refusal, secret_refusal

SHUTTING_DOWN = retry_after(5)
MADE_UP_SECRET = "made-up-until-the-bots-own-is-known"  # noqa: S105 - no secret


class Registry:
    """The bots of one server by number, and its clients by token."""

    def __init__(self, desk: Desk, *, random: Random, epoch: float, started: float) -> None:
        self._desk = desk
        self._random = random
        self._epoch = epoch
        self._started = started
        self._bots: dict[int, Bot] = {}
        self._clients: dict[str, Client] = {}  # by token, with "/test" behind it in the test data centre
        self._of_bot: defaultdict[int, list[Client]] = defaultdict(list)
        self._newest: dict[int, str] = {}  # the token last seen of each bot
        self._authorised: set[str] = set()
        self._revoked_bots: set[int] = set()
        self._is_stopping = False

    def __repr__(self) -> str:
        return f"<Registry {list(self._clients.values())}>"

    def bot(self, bot_id: int) -> Bot:
        """Give a bot."""
        bot = self._bots.get(bot_id)
        if bot is None:
            bot = self._bots[bot_id] = Bot(
                bot_id=bot_id,
                random=self._random,
                journal=self._desk.journal,
                epoch=self._epoch,
                started=self._started,
            )
        return bot

    def clients_of(self, bot_id: int) -> list[Client]:
        """Give the clients of a bot, one for each of its tokens."""
        return self._of_bot[bot_id]

    def token_of(self, bot_id: int) -> str:
        """Give a token under which foreign programs call: the bot's own, or one made up until it is known."""
        return self._newest.get(bot_id, f"{bot_id}:{MADE_UP_SECRET}")

    def admit(self, call: Call, *, method: str, now: float) -> Client | Reply:
        """Give the client that a call is for, or the answer to one that is not let through."""
        key = call.token + "/test" if call.is_test else call.token
        client = self._clients.get(key)
        if client is not None and client.state is not State.CLOSED and not self._is_stopping:
            return client
        refused = SHUTTING_DOWN if self._is_stopping else refusal(call.token)
        if refused is not None:
            return refused
        if method == "close":
            return ALREADY_CLOSED
        if client is not None:
            self._of_bot[client.bot.id].remove(client)
            client = successor(client, self._desk, method=method, now=now, server_started=self._started)
        else:
            refused = secret_refusal(call.token) or self._unauthorised(call.token)
            if refused is not None:
                return refused
            client = self._new(call, now)
        self._clients[key] = client
        self._of_bot[client.bot.id].append(client)
        self._newest[client.bot.id] = call.token
        return client

    def revoke(self, bot_id: int, now: float) -> None:
        """Have the tokens of a bot refused, until one is authorised."""
        self._revoked_bots.add(bot_id)
        self._authorised = {token for token in self._authorised if bot_id_of(token) != bot_id}
        for client in self._of_bot[bot_id]:
            client.revoke(now)

    def authorise(self, token: str) -> None:
        """Have one token accepted."""
        self._authorised.add(token)
        client = self._clients.get(token)
        if client is not None:
            client.restore()

    def shut_down(self, now: float) -> None:
        """Let nobody through any more, and end what is open."""
        self._is_stopping = True
        for client in self._clients.values():
            client.shut_down(now)

    def _new(self, call: Call, now: float) -> Client:
        bot_id = bot_id_of(call.token)
        assert bot_id is not None  # or it would have been refused
        bot = self.bot(bot_id + TEST_DC if call.is_test else bot_id)
        adopted = self._adopted(bot, call.token)
        return adopted or Client(self._desk, bot, now=now, server_started=self._started)

    def _unauthorised(self, token: str) -> Reply | None:
        refuses = self._desk.rules.only_known_tokens or bot_id_of(token) in self._revoked_bots
        return UNAUTHORIZED if refuses and token not in self._authorised else None

    def _adopted(self, bot: Bot, token: str) -> Client | None:
        """Take over what foreign programs did under a made-up token before the bot's own was known."""
        made_up = f"{bot.id}:{MADE_UP_SECRET}"
        client = self._clients.pop(made_up, None) if token != made_up else None
        if client is not None:
            self._of_bot[bot.id].remove(client)
        return client
