"""When a child lives, when it is ended and started again, and that two never live at once."""

from __future__ import annotations

import asyncio
import signal

import pytest

from onepoller.adapters.command import Restart
from tests.unit.adapters.runs_on_virtual_time import Kind, Process, World, on_virtual_time


def test_only_the_holders_child_lives() -> None:
    """The standby starts nothing, however long it waits."""

    async def story(world: World) -> None:
        first = Process(world, "a", Kind())
        await asyncio.sleep(1)
        second = Process(world, "b", Kind())
        await asyncio.sleep(3600)
        assert (len(first.children), len(second.children)) == (1, 0)

    on_virtual_time(story)


@pytest.mark.parametrize("cleaning", [0.0, 5.0, 25.0])
def test_a_handover_waits_for_the_childs_end(cleaning: float) -> None:
    """However long it cleans up; then the heir begins at once, and the old one stands by."""

    async def story(world: World) -> None:
        first = Process(world, "a", Kind(cleaning=cleaning))
        await asyncio.sleep(1)
        second = Process(world, "b", Kind())
        await asyncio.sleep(10)
        first.instance.hand_over()
        await asyncio.sleep(cleaning + 0.1)
        assert second.times("began") == pytest.approx(first.times("ended"), abs=0.05)
        assert first.children[0].signals == [signal.SIGTERM]
        await asyncio.sleep(100)
        assert (len(first.children), len(second.children), world.living()) == (1, 1, 1)

    on_virtual_time(story)


def test_a_session_that_cannot_prove_itself_ends_its_child_before_its_lease_is_over() -> None:
    """The store is away: just before the deadline, itself before others may take over, its end begins."""

    async def story(world: World) -> None:
        first = Process(world, "a", Kind())
        await asyncio.sleep(60)
        world.store.is_away = True
        negotiation = first.instance._negotiation
        assert negotiation is not None
        deadline = negotiation.session.deadline
        await asyncio.sleep(30)
        assert first.times("ended") == [pytest.approx(deadline - 0.5, abs=0.02)]
        assert len(first.children) == 1
        world.store.is_away = False
        await asyncio.sleep(5)
        assert len(first.children) == 2

    on_virtual_time(story)


def test_a_lost_session_ends_the_child_and_a_new_one_begins_with_the_next() -> None:
    """The claim of the old session is nobody's; the child of the new one is another."""

    async def story(world: World) -> None:
        first = Process(world, "a", Kind(cleaning=2.0))
        await asyncio.sleep(60)
        negotiation = first.instance._negotiation
        assert negotiation is not None
        world.store.kill(negotiation.session.id)
        await asyncio.sleep(20)
        assert len(first.children) == 2
        assert first.children[0].signals == [signal.SIGTERM]
        assert world.living() == 1

    on_virtual_time(story)


@pytest.mark.parametrize(
    ("restart", "code", "began"),
    [
        (Restart.NEVER, 3, [0.0]),
        (Restart.ON_FAILURE, 0, [0.0]),
        (Restart.ON_FAILURE, 3, [0.0, 12.0, 25.0, 40.0, 59.0]),
        (Restart.ALWAYS, 0, [0.0, 12.0, 25.0, 40.0, 59.0]),
    ],
)
def test_a_child_starts_again_by_policy_after_growing_pauses(
    restart: Restart, code: int, began: list[float]
) -> None:
    """Each lives eleven seconds: the pauses are 1, 2, 4, 8 s. Without a restart its code is passed on."""

    async def story(world: World) -> None:
        process = Process(world, "a", Kind(lasts=11.0, code=code), restart=restart)
        await asyncio.sleep(70)
        assert process.times("began") == pytest.approx(began, abs=0.3)
        assert process.task.done() is (len(began) == 1)
        if process.task.done():
            assert process.task.result() == code

    on_virtual_time(story)


def test_after_a_crash_a_peer_takes_over_at_once() -> None:
    """The claim is let go with the child; the crashed one stands by after its pause."""

    async def story(world: World) -> None:
        first = Process(world, "a", Kind(lasts=20.0, code=1), restart=Restart.ON_FAILURE)
        await asyncio.sleep(1)
        second = Process(world, "b", Kind())
        await asyncio.sleep(100)
        assert second.times("began") == pytest.approx(first.times("ended"), abs=0.2)
        assert (len(first.children), world.living()) == (1, 1)

    on_virtual_time(story)


def test_a_command_that_cannot_be_started_is_a_failure_like_others() -> None:
    """No process left on the machine: code 126, and by policy another try."""

    async def story(world: World) -> None:
        process = Process(world, "a", Kind(lasts=-1.0))
        await asyncio.sleep(1)
        assert process.task.result() == 126

    on_virtual_time(story)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_the_first_signal_that_asks_for_the_end_is_sent_once(number: signal.Signals) -> None:
    """No restart follows, and the child's code is passed on; a second signal is forwarded as it comes."""

    async def story(world: World) -> None:
        process = Process(world, "a", Kind(cleaning=3.0), restart=Restart.ALWAYS)
        await asyncio.sleep(1)
        process.supervisor.receive(number)
        await asyncio.sleep(1)
        process.supervisor.receive(signal.SIGINT)
        await asyncio.sleep(5)
        assert process.children[0].signals == [number, signal.SIGINT]
        assert process.task.result() == 128 + number

    on_virtual_time(story)


def test_a_stop_in_the_middle_of_a_handover_ends_the_process() -> None:
    """The child gets no second signal; its code is passed on, and the heir begins after it."""

    async def story(world: World) -> None:
        first = Process(world, "a", Kind(cleaning=5.0))
        await asyncio.sleep(1)
        second = Process(world, "b", Kind())
        await asyncio.sleep(10)
        first.instance.hand_over()
        await asyncio.sleep(1)
        first.supervisor.receive(signal.SIGTERM)
        await asyncio.sleep(10)
        assert first.children[0].signals == [signal.SIGTERM]
        assert first.task.result() == 128 + signal.SIGTERM
        assert second.times("began") == pytest.approx(first.times("ended"), abs=0.2)

    on_virtual_time(story)


def test_a_stop_in_standby_ends_with_0() -> None:
    """Nothing has failed, and no child lives."""

    async def story(world: World) -> None:
        Process(world, "a", Kind())
        await asyncio.sleep(1)
        standby = Process(world, "b", Kind())
        await asyncio.sleep(10)
        standby.supervisor.receive(signal.SIGTERM)
        await asyncio.sleep(0.1)
        assert standby.task.result() == 0

    on_virtual_time(story)


def test_a_stop_between_two_lives_ends_with_0() -> None:
    """The failure before it was to be mended by the next life; it is not this end's."""

    async def story(world: World) -> None:
        process = Process(world, "a", Kind(lasts=5.0, code=3), restart=Restart.ALWAYS)
        await asyncio.sleep(5.5)
        process.supervisor.receive(signal.SIGTERM)
        await asyncio.sleep(0.1)
        assert (len(process.children), process.task.result()) == (1, 0)

    on_virtual_time(story)


def test_who_dies_of_a_forwarded_signal_was_stopped_by_it() -> None:
    """SIGHUP of a terminal that closes: the code is passed on, and no policy starts another child."""

    async def story(world: World) -> None:
        process = Process(world, "a", Kind(), restart=Restart.ALWAYS)
        await asyncio.sleep(1)
        process.supervisor.receive(signal.SIGUSR1)
        process.supervisor.receive(signal.SIGHUP)
        await asyncio.sleep(1)
        assert process.children[0].signals == [signal.SIGUSR1, signal.SIGHUP]
        assert process.task.result() == 128 + signal.SIGHUP

    on_virtual_time(story)
