"""A drain is done when nothing is open or owed."""

from __future__ import annotations

from onepoller.coordination.drain import Drain
from onepoller.coordination.offsets import Offsets


def test_a_poll_and_a_batch_are_waited_for() -> None:
    """Until the poll's outcome was looked at, and the batch that it brought is acknowledged."""
    offsets = Offsets()
    drain = Drain(offsets)
    drain.is_polling = True
    drained = drain.begin()
    offsets.received((5,))
    drain.settle()
    assert not drained.done()
    drain.is_polling = False
    drain.settle()
    assert not drained.done()
    offsets.called(6)
    drain.settle()
    drain.settle()
    assert drained.done()


def test_a_claim_that_has_gone_is_not_waited_for() -> None:
    """Whatever is open."""
    drain = Drain(Offsets())
    drain.is_polling = True
    drained = drain.begin()
    drain.cut_short()
    assert drained.done()


def test_a_drain_that_was_given_up_is_never_done() -> None:
    """Nobody follows, so nobody may take its end for leave to poll."""
    drain = Drain(Offsets())
    drain.is_polling = True
    drained = drain.begin()
    drain.give_up()
    drain.is_polling = False
    drain.settle()
    assert not drained.done()


def test_two_threads_may_end_it_at_once() -> None:
    """The caller's poll has ended and the runner has lost the claim; each saw that it was not done."""
    drain = Drain(Offsets())
    drained = drain.begin()
    drained.done = lambda: False  # type: ignore[method-assign]  # as the slower one saw it
    drain.cut_short()
    drain.cut_short()
    assert drained.result() is None
