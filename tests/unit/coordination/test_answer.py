"""An answer is said once, and everybody who waits for it hears it once, in any thread."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from onepoller.coordination.answer import Answer


def test_the_first_value_stays() -> None:
    """Who answers late changes nothing."""
    answer: Answer[bool] = Answer()

    answer.set_result(True)
    answer.set_result(False)

    assert answer.result() is True


def test_none_is_an_answer() -> None:
    """It is what `changed` says."""
    answer: Answer[None] = Answer()

    answer.set_result(None)

    assert (answer.done(), repr(answer)) == (True, "<Answer None>")


def test_a_thread_that_waits_in_vain_is_told_so() -> None:
    """As by a Future."""
    with pytest.raises(TimeoutError):
        Answer[bool]().result(timeout=0.0)


def test_a_waiting_thread_gets_what_another_says() -> None:
    """Without a limit too."""
    answer: Answer[str] = Answer()
    threading.Timer(0.01, answer.set_result, ("there",)).start()

    assert answer.result() == "there"


def test_callbacks_hear_of_it_before_and_after() -> None:
    """Each once."""
    answer: Answer[int] = Answer()
    heard: list[tuple[str, int]] = []

    answer.add_done_callback(lambda a: heard.append(("early", a.result())))
    answer.set_result(1)
    answer.add_done_callback(lambda a: heard.append(("late", a.result())))

    assert heard == [("early", 1), ("late", 1)]


def test_no_callback_is_lost_or_called_twice_in_a_race() -> None:
    """One thread adds while another says it."""
    heard: list[int] = []
    for number in range(300):
        answer: Answer[None] = Answer()
        barrier = threading.Barrier(2)

        def say(answer: Answer[None] = answer, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            answer.set_result(None)

        other = threading.Thread(target=say)
        other.start()
        barrier.wait()
        answer.add_done_callback(partial(_hear, heard, number))
        other.join()

    assert heard == list(range(300))


def _hear(heard: list[int], number: int, _: object) -> None:
    heard.append(number)
