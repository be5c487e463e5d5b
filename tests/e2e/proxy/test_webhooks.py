"""setWebhook and deleteWebhook through the proxy: nobody's webhook, and nobody's updates, are destroyed."""

from __future__ import annotations

import pytest

from onepoller.coordination.events import WebhookCallGuarded
from tests.e2e.proxy.conftest import BOT, Bench

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

DONE = "Webhook is already deleted"
HOOK = "https://8.8.8.8/hook"


def guarded(bench: Bench) -> list[str]:
    """How calls were answered here, in their order."""
    return [event.answer for event in bench.events if isinstance(event, WebhookCallGuarded)]


def methods(bench: Bench) -> list[str]:
    """What reached the server from clients, looks left out."""
    rows = [row for row in bench.fake.rows(BOT) if row.poller in {"one", "worker", "newcomer"}]
    return [row.method for row in rows if row.method != "getwebhookinfo"]


async def test_a_start_without_a_webhook_deletes_none(bench: Bench) -> None:
    """It is answered here, at once."""
    client = bench.client(await bench.proxy(), "one")
    reply = await client.call("deleteWebhook")
    assert (reply.body["description"], methods(bench), guarded(bench)) == (DONE, [], ["already_deleted"])


async def test_somebody_elses_webhook_stays(bench: Bench) -> None:
    """The refusal names its host and the switch."""
    client = bench.client(await bench.proxy(), "one")
    bench.fake.set_webhook(BOT, HOOK)
    reply = await client.call("deletewebhook")
    assert (reply.status, "8.8.8.8" in reply.body["description"]) == (400, True)
    assert methods(bench) == []


async def test_a_switch_allows_it(bench: Bench) -> None:
    """`on_webhook=delete` is the user's word for exactly that."""
    client = bench.client(await bench.proxy(settings={"on_webhook": "delete"}), "one")
    bench.fake.set_webhook(BOT, HOOK)
    reply = await client.call("setWebhook", url="")
    assert (reply.body["description"], methods(bench)) == ("Webhook was deleted", ["setwebhook"])


async def test_a_webhook_that_was_set_here_may_go(bench: Bench) -> None:
    """It is its user's own."""
    client = bench.client(await bench.proxy(), "one")
    assert (await client.call("setWebhook", url=HOOK)).status == 200
    assert (await client.call("deleteWebhook")).body["description"] == "Webhook was deleted"


async def test_a_start_alone_drops_what_is_pending(bench: Bench) -> None:
    """That is what its user asked for, and nobody else works on it."""
    client = bench.client(await bench.proxy(), "one")
    bench.fake.push(BOT, 2)
    reply = await client.call("deleteWebhook", drop_pending_updates="true")
    assert (reply.status, (await client.poll(timeout=1)).ids) == (200, [])


@pytest.mark.parametrize("proxies", [1, 2])
async def test_nothing_is_dropped_beside_a_client_that_polls(bench: Bench, proxies: int) -> None:
    """It is answered as done, whether the other client is here or at another proxy."""
    made = [await bench.proxy() for _ in range(proxies)]
    worker, newcomer = bench.client(made[0], "worker"), bench.client(made[-1], "newcomer")
    pushed = [one.update_id for one in bench.fake.push(BOT, 2)]
    assert (await worker.poll()).ids == pushed
    reply = await newcomer.call("deleteWebhook", drop_pending_updates="true")
    assert (reply.body["description"], methods(bench), guarded(bench)) == (
        DONE,
        ["getupdates"],
        ["drop_skipped"],
    )


async def test_a_webhook_that_blocks_is_waited_for(bench: Bench) -> None:
    """The client gets empty lists, not 409s, and its updates when the webhook has gone."""
    client = bench.client(await bench.proxy(settings={"webhook_watch": 0.5}), "one")
    bench.fake.set_webhook(BOT, HOOK)
    pushed = [one.update_id for one in bench.fake.push(BOT, 1)]
    first = await client.poll(timeout=1)
    bench.fake.set_webhook(BOT, "")
    assert (first.status, first.ids, (await client.poll(timeout=10)).ids) == (200, [], pushed)
