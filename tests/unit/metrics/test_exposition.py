"""The text for Prometheus, and the collector for prometheus_client: two ways to the same content."""

from __future__ import annotations

import time

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from onepoller.coordination import events
from onepoller.coordination.conflict import Kind
from onepoller.coordination.events import Cause, ClaimEvent, Dropped, Outcome
from onepoller.coordination.identity import BotId, Term
from onepoller.coordination.report import Role
from onepoller.metrics import Ledger
from onepoller.metrics.catalogue import METRICS, Level, Type
from onepoller.metrics.collector import OnepollerCollector
from onepoller.metrics.exposition import exposition

TIMING = "onepoller_collect_duration_seconds"


def busy(*, full_up_to: int = 1000) -> Ledger:
    """Give a ledger with something in every metric."""
    ledger = Ledger(full_up_to=full_up_to)
    ledger(events.SessionOpened(session="s", store="file", lease=10.0))
    ledger(events.BeatEnded(seconds=0.001, margin=0.66))
    ledger(events.StoreCalled(operation="swap", seconds=0.002))
    for number in range(7_000_000_001, 7_000_000_006):
        bot = BotId(number)
        ledger(events.BotSeen(bot_id=bot))
        ledger(
            events.ClaimChanged(
                bot_id=bot, event=ClaimEvent.TAKEN_OVER, term=Term(2**51 + number), cause=Cause.DIED
            )
        )
        ledger(events.RoleChanged(bot_id=bot, role=Role(number % 7), was=Role.STARTING))
        ledger(events.FirstPollEnded(bot_id=bot, seconds=0.012, cause=Cause.DIED))
        ledger(events.PollEnded(bot_id=bot, outcome=Outcome.UPDATES, seconds=0.3, updates=2, timeout=10.0))
        ledger(events.UpdatesDropped(bot_id=bot, count=1, reason=Dropped.STALE_OWNER))
        ledger(events.EpisodeOpened(bot_id=bot, kind=Kind.RIVAL, policy="hold"))
        ledger(events.UpdateGap(bot_id=bot, missed=2))
    return ledger


def content(text: str) -> dict[str, tuple[str, str, dict[tuple[str, str], float]]]:
    """Parse the text: for each family its type, its help, and its samples in any order."""
    return {
        family.name: (
            family.type,
            family.documentation,
            {(sample.name, str(sorted(sample.labels.items()))): sample.value for sample in family.samples},
        )
        for family in text_string_to_metric_families(text)
        if family.name != TIMING
    }


@pytest.mark.parametrize("full_up_to", [1000, 0], ids=["full", "core"])
def test_the_encoder_and_the_collector_say_the_same(full_up_to: int) -> None:
    """Families, types, help texts, labels and values agree, at both levels of detail."""
    ledger = busy(full_up_to=full_up_to)
    ledger._clock = lambda: 0.0  # time in standby stands still between the two
    registry = CollectorRegistry()
    OnepollerCollector(ledger, registry=registry)

    assert content(exposition(ledger).decode()) == content(generate_latest(registry).decode())


@pytest.mark.parametrize(
    ("full_up_to", "levels"),
    [(1000, set(Level)), (0, {Level.PROCESS, Level.CORE, Level.SPARSE})],
    ids=["full", "core"],
)
def test_everything_in_the_catalogue_is_exported_and_nothing_else(
    full_up_to: int, levels: set[Level]
) -> None:
    """In the catalogue's order, with its types."""
    headers = [
        line for line in exposition(busy(full_up_to=full_up_to)).decode().splitlines() if "# TYPE" in line
    ]
    shown = {Type.INFO: "gauge", Type.STATESET: "gauge"}

    assert headers == [f"# TYPE {m.name} {shown.get(m.type, m.type)}" for m in METRICS if m.level in levels]


def test_a_bot_costs_seven_series_or_eighteen() -> None:
    """The promise of the catalogue about 10,000 bots. Problems are not counted: they come and go."""
    series = {
        level: sum(
            'bot_id="7000000001"' in line and "problem" not in line
            for line in exposition(busy(full_up_to=level)).decode().splitlines()
        )
        for level in (0, 1000)
    }

    assert series == {0: 7, 1000: 18}


def test_a_term_keeps_every_digit() -> None:
    """Terms are near 2 to the 51; a rounded one could seem to go back."""
    assert (
        f'onepoller_claim_term{{bot_id="7000000001"}} {2**51 + 7_000_000_001}\n'
        in exposition(busy()).decode()
    )


def test_open_metrics_take_the_collector_too() -> None:
    """No `_created` series, and an end."""
    registry = CollectorRegistry()
    OnepollerCollector(busy(), registry=registry)
    text = generate_openmetrics(registry).decode()  # type: ignore[no-untyped-call]  # the library's

    assert text.endswith("# EOF\n")
    assert "_created" not in text


@pytest.mark.slow
def test_ten_thousand_bots_are_encoded_within_a_second() -> None:
    """At full detail. Measured 0.1 s; a scrape may take 10."""
    ledger = Ledger(full_up_to=10_000)
    for number in range(10_000):
        ledger(events.BotSeen(bot_id=BotId(7_000_000_000 + number)))
    begun = time.perf_counter()
    text = exposition(ledger)

    assert time.perf_counter() - begun < 1.0
    assert text.count(b"\n") > 180_000
