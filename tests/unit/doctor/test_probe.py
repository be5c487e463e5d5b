"""The words around a probe: what is asked before it, and what it cost."""

from __future__ import annotations

import pytest

from onepoller.cli.doctor.evidence import Instance, Probe, ProbeEnd, StoreSeen
from onepoller.cli.doctor.probe import account, question

OURS = Instance(who="alpha pid 811", host="alpha", pid=811, label="", is_here=True, is_alive=True, lease=10.0)


@pytest.mark.parametrize(
    ("end", "poller", "said"),
    [
        (
            ProbeEnd.CONFLICT,
            None,
            (
                "thrown out after 1.0 s: somebody else polls. It cost that poller one 409 at most. No "
                "update was taken."
            ),
        ),
        (
            ProbeEnd.CONFLICT,
            OURS,
            (
                "thrown out after 1.0 s: our own poller came back, which says nothing of others. It cost "
                "alpha pid 811 one poll at most; a rival that it reports for these seconds was this "
                "probe. No update was taken."
            ),
        ),
        (
            ProbeEnd.EMPTY,
            None,
            (
                "not thrown out in 8 s. It cost whoever had a poll open when it began one 409 at most. "
                "No update was taken."
            ),
        ),
        (
            ProbeEnd.UPDATES,
            None,
            (
                "answered after 1.0 s because updates wait, so it shows nothing. They stay at Telegram. "
                "It cost whoever had a poll open when it began one 409 at most. No update was taken."
            ),
        ),
        (ProbeEnd.SKIPPED, OURS, "not made: you said no."),
    ],
)
def test_a_probe_says_how_it_ended_and_what_it_cost(
    end: ProbeEnd, poller: Instance | None, said: str
) -> None:
    """One sentence each."""
    assert account(Probe(seconds=8, end=end, elapsed=1.0, text="you said no"), poller) == said


def test_the_question_names_our_own_poller() -> None:
    """Who would be thrown out, and that there is nothing to learn."""
    assert question(8, StoreSeen(name="here", holder=OURS)) == (
        "alpha pid 811 of our own polls this bot, as the store knows already. A probe of 8 s throws out "
        "its poll for a moment, cannot tell it from a rival, and may be taken by it for one. Probe all "
        "the same?"
    )
