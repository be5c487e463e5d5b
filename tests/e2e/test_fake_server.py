"""The fake Bot API over real sockets: bytes, encodings, connections that die, the control API."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import zlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest

from onepoller.testing.botapi import (
    Control,
    ControlError,
    FakeBotApi,
    Row,
    Rules,
    conflicts,
    ghosts,
    overlaps,
    replies,
    serve,
    server,
    spawn,
)

BOT = 123456789
TOKEN = f"{BOT}:" + "A" * 35
HOOK = "https://hook.example/x"
EMPTY = replies.wire(replies.EMPTY)


def with_fake(body: Callable[[FakeBotApi], Awaitable[None]], **options: Any) -> None:
    """Run a test in an event loop, with a fake in it."""

    async def run() -> None:
        async with FakeBotApi(**options) as fake:
            await body(fake)

    asyncio.run(run())


def connect(url: str) -> socket.socket:
    """Open a plain connection."""
    address = httpx.URL(url)
    return socket.create_connection((address.host, address.port))


def get_updates(poller: str, *, timeout: int = 30, offset: int = 0) -> bytes:
    """Give the bytes of a getUpdates."""
    target = f"/_as/{poller}/bot{TOKEN}/getUpdates?timeout={timeout}&offset={offset}"
    return f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


async def asked(fake: FakeBotApi, raw: bytes, size: int | None = None) -> bytes:
    """Send bytes on a new connection; give what comes until it closes, or so many bytes."""
    address = httpx.URL(fake.url)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(raw)
    answer = await (reader.read() if size is None else reader.readexactly(size))
    writer.close()
    await writer.wait_closed()
    return answer


def is_parked(poller: str) -> Callable[[Row], bool]:
    """Give a predicate: this poller's poll has parked."""
    return lambda row: row.poller == poller and row.parked_at is not None


# -- bytes


@pytest.mark.parametrize(
    ("request_bytes", "expected"),
    [
        pytest.param(get_updates("a", timeout=0), EMPTY, id="empty list"),
        pytest.param(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n", replies.wire(replies.NOT_FOUND), id="404"),
        pytest.param(
            b"GET /bot0:x/getMe HTTP/1.1\r\nHost: x\r\n\r\n", replies.wire(replies.INVALID_TOKEN), id="401"
        ),
        pytest.param(
            get_updates("a", timeout=0).replace(b"1.1", b"1.0"), EMPTY, id="keep-alive for HTTP/1.0"
        ),
    ],
)
def test_an_answer_is_the_server_s_byte_for_byte(request_bytes: bytes, expected: bytes) -> None:
    """Status line, three headers in order, body; and the connection stays open."""

    async def body(fake: FakeBotApi) -> None:
        assert await asked(fake, request_bytes, len(expected)) == expected

    with_fake(body)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        pytest.param(get_updates("a").replace(b"GET", b"PUT"), 501, id="another method"),
        pytest.param(get_updates("a").replace(b"1.1", b"3.0"), 505, id="another version"),
        pytest.param(b"rubbish\r\n\r\n", 400, id="rubbish"),
        pytest.param(
            b"POST /bot%b/getMe HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
            b"Content-Length: 1\r\n\r\nx" % TOKEN.encode(),
            400,
            id="broken multipart",
        ),
    ],
)
def test_an_unreadable_request_is_a_bare_error_and_the_end(request_bytes: bytes, status: int) -> None:
    """No body, and the connection is closed."""

    async def body(fake: FakeBotApi) -> None:
        assert await asked(fake, request_bytes) == replies.bare(status)

    with_fake(body)


def test_a_cut_request_is_a_bare_400() -> None:
    """The client ends in the middle of its body."""

    async def body(fake: FakeBotApi) -> None:
        with connect(fake.url) as client:
            client.sendall(b"POST /bot1:x/getMe HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nab")
            client.shutdown(socket.SHUT_WR)
            answer = await asyncio.to_thread(client.recv, 1000)
        assert answer == replies.bare(400)

    with_fake(body)


@pytest.mark.slow
def test_pipelined_requests_are_answered_one_after_another() -> None:
    """The second is read after the first has been answered, even if that takes its time."""

    async def body(fake: FakeBotApi) -> None:
        raw = get_updates("a", timeout=1) + get_updates("a", timeout=0, offset=5)
        asking = asyncio.create_task(asked(fake, raw, 2 * len(EMPTY)))
        first = await fake.wait_for(is_parked("a"))
        assert len(fake.rows()) == 1
        assert await asking == EMPTY * 2
        assert first.ended_at is not None
        assert fake.rows()[1].arrived_at >= first.ended_at

    with_fake(body)


# -- encodings

FIELDS = {"offset": "5", "limit": "7", "timeout": "0", "allowed_updates": '["message"]'}
JSON = {"Content-Type": "application/json"}
WIRE_FORM = b"offset=5&limit=7&timeout=0&allowed_updates=%5B%22message%22%5D"
PARTS: dict[str, Any] = {name: (None, value) for name, value in FIELDS.items()}


async def chunks() -> Any:
    """Give the form in pieces."""
    for start in range(0, len(WIRE_FORM), 10):
        yield WIRE_FORM[start : start + 10]


@pytest.mark.parametrize(
    ("method", "options"),
    [
        pytest.param("GET", lambda: {"params": FIELDS}, id="GET query"),
        pytest.param("POST", lambda: {"params": FIELDS}, id="POST query"),
        pytest.param("POST", lambda: {"data": FIELDS}, id="POST form"),
        pytest.param("GET", lambda: {"data": FIELDS}, id="GET form"),
        pytest.param("POST", lambda: {"files": PARTS}, id="POST multipart"),
        pytest.param(
            "POST",
            lambda: {
                "content": b'{"offset":5,"limit":7,"timeout":0,"allowed_updates":["message"]}',
                "headers": JSON,
            },
            id="POST JSON",
        ),
        pytest.param(
            "POST",
            lambda: {
                "content": gzip.compress(json.dumps(FIELDS).encode()),
                "headers": JSON | {"Content-Encoding": "gzip"},
            },
            id="POST JSON gzip",
        ),
        pytest.param(
            "POST",
            lambda: {"content": chunks(), "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
            id="POST form chunked",
        ),
    ],
)
def test_every_encoding_gives_the_same_result(method: str, options: Callable[[], dict[str, Any]]) -> None:
    """The same offset, limit, timeout, filter and answer."""

    async def body(fake: FakeBotApi) -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.request(method, f"{fake.url}/bot{TOKEN}/getUpdates", **options())
        (row,) = fake.rows()
        assert (row.offset, row.limit, row.timeout, answer.content) == (5, 7, 0, replies.EMPTY.body)
        assert fake.server.api.bot(BOT).allowed == {"message"}

    with_fake(body)


@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [
        (f"/bot{TOKEN}/getMe", {"X-Poller": "header"}, "header"),
        (f"/_as/alias/bot{TOKEN}/getMe", {}, "alias"),
        (f"/_as/alias/bot{TOKEN}/getMe", {"X-Poller": "header"}, "header"),
        (f"/bot{TOKEN}/getMe", {}, "peer 127.0.0.1:"),
    ],
)
def test_pollers_have_names(path: str, headers: dict[str, str], expected: str) -> None:
    """By header, by path, or by address."""

    async def body(fake: FakeBotApi) -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            await client.get(fake.url + path, headers=headers)
        assert fake.rows()[0].poller.startswith(expected)

    with_fake(body)


# -- connections that die


def kill(client: socket.socket, *, with_reset: bool) -> None:
    """Close a connection as a dying process does."""
    if with_reset:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def test_two_live_polls_are_two_pollers_and_a_visible_conflict() -> None:
    """Both connections are open when the second parks."""

    async def body(fake: FakeBotApi) -> None:
        with connect(fake.url) as first, connect(fake.url) as second:
            first.sendall(get_updates("a"))
            await fake.wait_for(is_parked("a"))
            second.sendall(get_updates("b"))
            await fake.wait_for(is_parked("b"))
            answer = await asyncio.to_thread(first.recv, 1000)
            rows = fake.rows()
        assert answer == replies.wire(replies.CONFLICTS["G"])
        assert [overlap.first.poller for overlap in overlaps(rows)] == ["a"]
        assert [row.poller for row in conflicts(rows)] == ["a"]

    with_fake(body)


@pytest.mark.parametrize("with_reset", [False, True], ids=["FIN", "RST"])
@pytest.mark.parametrize("is_seen_first", [True, False], ids=["seen before", "in the same wake-up"])
def test_a_poll_whose_connection_is_closed_is_a_ghost(*, with_reset: bool, is_seen_first: bool) -> None:
    """The poll stays parked, its 409 is a ghost's, and there were no two pollers.

    In the same wake-up: the loop learns of the death and of the next poll at once, in whichever order.
    """

    async def body(fake: FakeBotApi) -> None:
        with connect(fake.url) as second:  # before the first: the loop hears of it first
            await asyncio.sleep(0)
            first = connect(fake.url)
            first.sendall(get_updates("a"))
            await fake.wait_for(is_parked("a"))
            kill(first, with_reset=with_reset)
            if is_seen_first:
                await fake.wait_for(lambda row: row.closed_at is not None)
                assert fake.rows()[0].ended_at is None
            second.sendall(get_updates("b"))
            await fake.wait_for(is_parked("b"))
            rows = fake.rows()
        assert overlaps(rows) == []
        assert conflicts(rows) == []
        assert [row.poller for row in ghosts(rows)] == ["a"]

    with_fake(body)


def test_bytes_in_front_of_the_end_do_not_hide_a_death() -> None:
    """A client that has sent a further request and died is a ghost all the same."""

    async def body(fake: FakeBotApi) -> None:
        with connect(fake.url) as second:
            first = connect(fake.url)
            first.sendall(get_updates("a"))
            await fake.wait_for(is_parked("a"))
            first.sendall(b"GET /more HTTP/1.1\r\n")
            first.close()
            second.sendall(get_updates("b"))
            await fake.wait_for(is_parked("b"))
        assert [row.poller for row in ghosts(fake.rows())] == ["a"]

    with_fake(body)


POLLER = """
import socket, sys
client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
client.sendall(sys.argv[2].encode())
client.recv(1000)
"""


@pytest.mark.slow
def test_a_killed_process_leaves_a_ghost() -> None:
    """`kill -9` in the middle of a poll, then a successor: no conflict that anybody sees."""
    with spawn() as control, connect(control.url) as successor:
        port = str(httpx.URL(control.url).port)
        command = [sys.executable, "-c", POLLER, port, get_updates("a").decode()]
        with subprocess.Popen(command) as process:
            control.wait_for(is_parked("a"))
            os.kill(process.pid, signal.SIGKILL)
        successor.sendall(get_updates("b"))
        control.wait_for(is_parked("b"))
        rows = control.rows(BOT)

    assert overlaps(rows) == []
    assert [row.poller for row in ghosts(rows)] == ["a"]


# -- the control API


@pytest.fixture(scope="module")
def control() -> Iterator[Control]:
    """Give a fake in a process of its own."""
    with spawn() as control:
        yield control


@pytest.fixture
def bot(request: pytest.FixtureRequest) -> int:
    """Give a bot that no other test uses."""
    return 10_000_000 + zlib.crc32(request.node.name.encode()) % 10_000_000


def ask(control: Control, bot_id: int, method: str = "getUpdates", **arguments: Any) -> httpx.Response:
    """Send one request as `ours`."""
    url = f"{control.url}/_as/ours/bot{bot_id}:{'A' * 35}/{method}"
    return httpx.post(url, json=arguments, trust_env=False, timeout=15)


def test_pushed_updates_arrive_with_their_numbers(control: Control, bot: int) -> None:
    """What push says is what getUpdates gives."""
    pushed = control.push(bot, 2) + control.push(bot, 1, kind="callback_query")
    updates = ask(control, bot).json()["result"]

    assert [update["update_id"] for update in updates] == [made.update_id for made in pushed]
    assert [update["message"]["text"] for update in updates[:2]] == ["1", "2"]
    assert updates[2]["callback_query"]["data"] == "3"
    assert control.pushed(bot) == pushed


def test_a_source_pushes_at_its_rate_until_it_is_stopped(control: Control, bot: int) -> None:
    """A poll that waits is woken by it."""
    control.push(bot, 1000, every=0.05)
    *_, last = ask(control, bot, timeout=10).json()["result"]
    ask(control, bot, timeout=10, offset=last["update_id"] + 1)
    control.stop_push(bot)
    count = len(control.pushed(bot))

    assert 1 < count < 1000


@pytest.mark.slow
def test_the_log_is_waited_for(control: Control, bot: int) -> None:
    """A reader gets the change when it comes, and only what changed."""
    ask(control, bot)
    before = control.rows(bot)[-1].seq
    name = control.start_rival(bot, "short", after=0.3)
    row = control.wait_for(lambda row: row.poller == name, after=before)
    control.stop_rival(name)

    assert (row.bot_id, row.seq > before) == (bot, True)


def test_waiting_in_vain_ends(control: Control) -> None:
    """With the number of rows that were found."""
    with pytest.raises(TimeoutError, match="0 of 2 such rows"):
        control.wait_for(lambda row: row.poller == "nobody", count=2, timeout=0.1)


def test_a_rival_evicts_and_is_counted(control: Control, bot: int) -> None:
    """The summary tells who polled, and how the two met."""
    name = control.start_rival(bot, "telebot", after=0.1)
    answer = ask(control, bot, timeout=10)
    stopped = control.stop_rival(name), control.stop_rival(name)
    summary = control.summary(bot)

    assert answer.status_code == 409
    assert stopped == (True, False)
    ours = summary["pollers"]["ours"]
    assert (
        ours.pop("overlaps") == summary["overlaps"] >= 1
    )  # until it was stopped it may have polled once more
    assert ours == {"polls": 1, "conflicts": 1, "ghosts": 0, "updates": 0}


def test_a_foreign_webhook_is_set_and_cleared(control: Control, bot: int) -> None:
    """In between getUpdates is refused."""
    control.set_webhook(bot, HOOK)
    refused = ask(control, bot)
    url = ask(control, bot, "getWebhookInfo").json()["result"]["url"]
    control.set_webhook(bot, "")
    control.wait_for(lambda row: row.bot_id == bot and row.method == "deletewebhook" and row.how == "ok")

    assert refused.content == replies.CONFLICTS["W"].body
    assert url == HOOK
    assert ask(control, bot).status_code == 200


def test_a_revoked_token_is_refused_until_it_is_authorised(control: Control, bot: int) -> None:
    """401, then 200."""
    control.revoke(bot)
    refused = ask(control, bot).status_code
    control.authorise(f"{bot}:{'A' * 35}")

    assert (refused, ask(control, bot).status_code) == (401, 200)


def test_faults_over_http(control: Control, bot: int) -> None:
    """A page, a flood with its header, and then the rules again."""
    control.fault(bot, "html_502")
    control.fault(bot, "flood_429", retry_after=7)
    page, flood, good = ask(control, bot), ask(control, bot), ask(control, bot)

    assert (page.status_code, page.headers["content-type"], b"<html>" in page.content) == (
        502,
        "text/html",
        True,
    )
    assert (flood.status_code, flood.headers["retry-after"]) == (429, "7")
    assert good.content == replies.EMPTY.body


@pytest.mark.parametrize(
    ("kind", "error"),
    [("close", httpx.RemoteProtocolError), ("reset", httpx.ReadError), ("hang", httpx.ReadTimeout)],
)
def test_faults_of_the_connection(control: Control, bot: int, kind: str, error: type[Exception]) -> None:
    """The end without an answer, the reset, and silence."""
    control.fault(bot, kind)
    url = f"{control.url}/bot{bot}:{'A' * 35}/getUpdates"

    with pytest.raises(error):
        httpx.get(url, trust_env=False, timeout=0.3)


def test_faults_can_be_cleared(control: Control, bot: int) -> None:
    """The rules are back."""
    control.fault(bot, "reset", times=5)
    control.clear_faults(bot)

    assert ask(control, bot).status_code == 200


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (lambda control: control.push(1, kind="letter"), "There is no update type 'letter'"),
        (lambda control: control.fault(1, "quake"), "There is no fault 'quake'"),
        (lambda control: control.start_rival(1, "nobody"), "No rival behaves like 'nobody'"),
        (lambda control: control._order("dance", {}), "No order 'dance'"),
        (lambda control: control._order("push", {}), "KeyError: 'bot'"),
    ],
)
def test_wrong_orders_are_refused_with_a_sentence(
    control: Control, order: Callable[[Control], object], reason: str
) -> None:
    """The reason comes back."""
    with pytest.raises(ControlError, match=reason):
        order(control)


def test_the_clock_runs(control: Control, bot: int) -> None:
    """It is the clock of the rows."""
    before = control.now()
    ask(control, bot)

    assert before < control.rows(bot)[-1].arrived_at < control.now()


# -- the same orders inside a test's own loop


async def ask_inside(fake: FakeBotApi, method: str = "getUpdates", **arguments: Any) -> httpx.Response:
    """Send one request as `ours`."""
    async with httpx.AsyncClient(trust_env=False, timeout=15) as client:
        return await client.post(f"{fake.url}/_as/ours/bot{TOKEN}/{method}", json=arguments)


def test_orders_inside_the_loop() -> None:
    """Webhook, revocation and faults work as they do from outside."""

    async def body(fake: FakeBotApi) -> None:
        fake.set_webhook(BOT, HOOK)
        statuses = [(await ask_inside(fake)).status_code]
        fake.set_webhook(BOT, "")
        await fake.wait_for(lambda row: row.method == "deletewebhook" and row.how == "ok")
        statuses.append((await ask_inside(fake)).status_code)
        fake.revoke(BOT)
        statuses.append((await ask_inside(fake)).status_code)
        fake.authorise(TOKEN)
        statuses.append((await ask_inside(fake)).status_code)
        fake.fault(BOT, status=418, body="tea", method="getMe", poller="ours")
        statuses.append((await ask_inside(fake, "getMe")).status_code)
        assert statuses == [409, 200, 401, 200, 418]

    with_fake(body)


@pytest.mark.parametrize("kind", ["close", "reset"])
def test_cut_connections_inside_the_loop(kind: str) -> None:
    """The client sees the end of its connection, and the next call is served."""

    async def body(fake: FakeBotApi) -> None:
        fake.fault(BOT, kind)
        with pytest.raises(httpx.TransportError):
            await ask_inside(fake)
        assert (await ask_inside(fake)).status_code == 200

    with_fake(body)


def test_a_rival_and_a_source_inside_the_loop() -> None:
    """The rival takes what flows until it is stopped; then it is ours."""

    async def body(fake: FakeBotApi) -> None:
        name = fake.start_rival(BOT, "ptb")
        fake.push_every(BOT, 0.02, 3)
        await fake.wait_for(lambda row: row.poller == name and bool(row.update_ids), count=3)
        fake.stop_rival(name)
        (last,) = fake.push(BOT)
        updates = (await ask_inside(fake, timeout=5, offset=last.update_id)).json()["result"]
        assert [update["message"]["text"] for update in updates] == ["4"]

    with_fake(body)


def test_waiting_in_vain_inside_the_loop_ends() -> None:
    """With the number of rows that were found."""

    async def body(fake: FakeBotApi) -> None:
        with pytest.raises(TimeoutError, match="0 of 1 such rows"):
            await fake.wait_for(lambda row: row.poller == "nobody", timeout=0.05)

    with_fake(body)


def test_idle_connections_are_closed_and_waiting_ones_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the server's limit, made short here."""
    monkeypatch.setattr(server, "IDLE_LIMIT", 0.05)
    monkeypatch.setattr(server, "SWEEP_EVERY", 0.01)

    async def body(fake: FakeBotApi) -> None:
        with connect(fake.url) as waiting:
            waiting.sendall(get_updates("a"))
            await fake.wait_for(is_parked("a"))
            until_it_closes = await asked(fake, get_updates("b", timeout=0, offset=5))
            assert until_it_closes == EMPTY
            (row,) = [row for row in fake.rows() if row.poller == "a"]
            assert row.is_open

    with_fake(body)


def test_a_client_that_sends_too_much_behind_a_request_is_cut() -> None:
    """One mebibyte may wait."""

    async def body(fake: FakeBotApi) -> None:
        address = httpx.URL(fake.url)
        _, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(get_updates("a") + b"x" * (2 << 20))
        row = await fake.wait_for(lambda row: row.closed_at is not None)
        assert row.ended_at is None
        writer.transport.abort()

    with_fake(body)


# -- where it listens


def test_it_listens_on_the_loopback_only() -> None:
    """Unless it is told to."""
    with pytest.raises(ValueError, match="loopback only"):
        serve("0.0.0.0:0")


@pytest.mark.parametrize("listen", ["8081", "localhost:", "localhost:x"])
def test_an_address_is_a_host_and_a_port(listen: str) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match="HOST:PORT"):
        serve(listen)


@pytest.mark.slow
def test_the_program_says_what_is_wrong() -> None:
    """Status 2 and a sentence."""
    command = [sys.executable, "-m", "onepoller.testing.botapi", "--listen", "192.0.2.1:0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "loopback only" in done.stderr


def test_many_parked_polls_cost_one_timer() -> None:
    """Three hundred connections wait at once and are woken by one push each."""

    async def body(fake: FakeBotApi) -> None:
        clients = [connect(fake.url) for _ in range(300)]
        for number, client in enumerate(clients):
            token = f"{number + 1}:" + "A" * 35
            client.sendall(f"GET /bot{token}/getUpdates?timeout=50 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await fake.wait_for(lambda row: row.parked_at is not None, count=300)
        for number in range(300):
            fake.push(number + 1)
        await fake.wait_for(lambda row: row.how == "updates", count=300)
        for client in clients:
            client.close()

    with_fake(body, rules=Rules())


@pytest.mark.parametrize("listen", ["127.0.0.1:{port}", "nowhere"])
def test_the_command_tells_what_is_wrong_in_one_sentence(control: Control, listen: str) -> None:
    """A port that is taken, an address that is none: exit code 2."""
    port = control.url.rpartition(":")[2]
    command = [sys.executable, "-m", "onepoller", "fake-api", "--listen", listen.format(port=port)]
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "--listen" in done.stderr
