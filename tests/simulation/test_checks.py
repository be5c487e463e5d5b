"""The checks find what they are there for: runs in which a promise is broken on purpose."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from onepoller.coordination.identity import Term
from tests.simulation.checks import breaches
from tests.simulation.stage import Stage
from tests.simulation.stores import Grant


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Give a stage that is cleared away."""
    made = Stage(key="checks", seed=1, policy="hold", model="published")
    made.length = 60.0
    yield made
    made.clear()


def found(stage: Stage) -> list[str]:
    """Play, and give the breaches."""
    stage.play()
    return breaches(stage, stage.world.api.journal.rows())


def test_a_quiet_run_breaks_nothing(stage: Stage) -> None:
    """What the others find is their own doing."""
    stage.process(stage.store())

    assert found(stage) == []


def test_a_silence_that_no_cause_excuses_is_found(stage: Stage) -> None:
    """The only process is killed, and nobody said so to the judge."""
    life = stage.process(stage.store())
    stage.world.at(20.0, life.crash)

    assert found(stage) == ["deaf for 40.0 s at 20.0 s"]


def test_two_of_one_store_are_found(stage: Stage) -> None:
    """Two processes that do not see each other are told to be of one store."""
    first = stage.process(stage.store(), framework="ptb")
    second = stage.process(stage.store(), framework="ptb")
    second.store = first.store
    stage.length = 1.0

    assert "B1 polled beside A1" in {sentence.partition(" at ")[0] for sentence in found(stage)}


def test_a_message_that_nobody_was_given_is_found(stage: Stage) -> None:
    """Somebody has the server drop what waits."""
    drop = {"drop_pending_updates": "true"}
    stage.world.at(1.0, stage.world.push, 3)
    stage.world.at(2.0, lambda: stage.world.send("somebody", "deleteWebhook", drop, lambda _: None))
    stage.world.at(4.0, lambda: stage.process(stage.store()))
    stage.excuse("nobody is there yet", 4.0)

    assert [sentence.partition(", ")[0] for sentence in found(stage)] == [
        "3 updates were confirmed and given to nobody"
    ]


def test_a_term_that_goes_back_is_found(stage: Stage) -> None:
    """Terms are what users' own code compares."""
    store = stage.store()
    stage.process(store)
    stage.world.at(30.0, lambda: store.history.append(Grant(at=30.0, term=Term(0), holder="A1")))

    assert found(stage) == ["term 0 came after 1 at 30.000 s"]


def test_who_deletes_a_webhook_is_found(stage: Stage) -> None:
    """Nothing is destroyed, whatever stands in the way."""
    stage.process(stage.store())
    stage.world.at(30.0, lambda: stage.world.send("A1", "deleteWebhook", {}, lambda _: None))

    assert [sentence.partition(" with ")[0] for sentence in found(stage)] == ["A1 sent deletewebhook"]
