"""The words: 409 kinds, offsets, silence, settings, reports, identity, webhooks."""

from __future__ import annotations

import os

import pytest

from onepoller.coordination import webhook
from onepoller.coordination.conflict import Kind, Sighting, classify
from onepoller.coordination.errors import SettingsError
from onepoller.coordination.identity import BotId, bot_id_of, own_identity, start_ticks
from onepoller.coordination.offsets import Offsets
from onepoller.coordination.reply import outcome_of
from onepoller.coordination.report import BotReport, Clients, Role, clients_of, pack, unpack
from onepoller.coordination.settings import OnRival, OnWebhook, Settings, StartMode
from onepoller.coordination.stall import CallEnd, Silence, limit
from onepoller.coordination.stores.seam import Offset
from onepoller.coordination.webhook import Verdict
from onepoller.coordination.wire import Delivered, Refused

G = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
W = (
    "Conflict: can't use getUpdates method while webhook is active; "
    "use deleteWebhook to delete the webhook first"
)
S = "Conflict: terminated by setWebhook request"


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        (Sighting(text=G, elapsed=5.0), Kind.RIVAL),
        (Sighting(text=W, elapsed=0.1), Kind.WEBHOOK_ACTIVE),
        (Sighting(text=S, elapsed=5.0), Kind.WEBHOOK_SET),
        (Sighting(text=G, elapsed=5.0, holds_claim=False), Kind.PEER),
        (Sighting(text=G, elapsed=5.0, store_names_other=True), Kind.PEER),
        (Sighting(text="Conflict", elapsed=5.0), Kind.UNKNOWN),
        (Sighting(text=G, elapsed=0.4, unclean=True, term_age=54.0), Kind.GHOST),
        (Sighting(text=G, elapsed=0.6, unclean=True, term_age=54.0), Kind.RIVAL),
        (Sighting(text=G, elapsed=0.4, unclean=True, term_age=56.0), Kind.RIVAL),
        (Sighting(text=G, elapsed=0.4, unclean=False, term_age=1.0), Kind.RIVAL),
        (Sighting(text=G, elapsed=0.4, unclean=True, term_age=1.0, longest_park=0.6), Kind.RIVAL),
        (
            Sighting(text=G, elapsed=5.0, unclean=True, term_age=6.0, longest_park=0.6, unheard=True),
            Kind.GHOST,
        ),
        (Sighting(text=W, elapsed=5.0, unclean=True, term_age=6.0, unheard=True), Kind.WEBHOOK_ACTIVE),
        (Sighting(text=G, elapsed=5.0, unclean=True, unheard=True, holds_claim=False), Kind.PEER),
    ],
)
def test_a_409_is_classified(seen: Sighting, kind: Kind) -> None:
    """By its text, and by what our own store knows."""
    assert classify(seen) is kind


def test_a_smaller_offset_is_raised_to_the_former_holders() -> None:
    """A framework that starts at 0 gets nothing twice, until its first batch."""
    offsets = Offsets()
    offsets.start_term(Offset(value=50, api_root="r", at=1000.0))

    assert offsets.outgoing(0, api_root="r", now=1001.0) == 50
    assert offsets.outgoing(60, api_root="r", now=1001.0) == 60
    assert offsets.outgoing(-1, api_root="r", now=1001.0) == -1
    assert offsets.outgoing(0, api_root="other", now=1001.0) == 0
    assert offsets.outgoing(0, api_root="r", now=1000.0 + 86_401) == 0
    offsets.received((50, 51))
    assert offsets.outgoing(0, api_root="r", now=1001.0) == 0


def test_gaps_and_repeats_are_seen_between_batches_and_inside_one() -> None:
    """One consumer's ids are contiguous."""
    offsets = Offsets()

    assert offsets.received((10, 11)) == (0, 0)
    assert offsets.received((12,)) == (0, 0)
    assert offsets.received((15, 17)) == (3, 0)
    assert offsets.received((16, 17, 18)) == (0, 2)


def test_a_new_queue_is_no_gap() -> None:
    """After a week of silence the next id may be random."""
    offsets = Offsets()
    offsets.received((10,))

    assert offsets.received((900_000_000,)) == (0, 0)


def test_what_the_framework_holds_is_unacknowledged_until_its_next_offset() -> None:
    """A handover waits for it."""
    offsets = Offsets()
    offsets.received((10, 11))
    offsets.called(10)
    assert offsets.unacknowledged

    offsets.called(12)

    assert not offsets.unacknowledged
    assert offsets.to_hand_over(api_root="r", now=5.0) == Offset(value=12, api_root="r", at=5.0)


@pytest.mark.parametrize(
    ("floor", "calls", "expected"),
    [
        pytest.param(None, (), None, id="nothing: others may have come further since"),
        pytest.param(None, (15,), 15, id="what was acknowledged in this term"),
        pytest.param(20, (), 20, id="what the store knew"),
        pytest.param(20, (12,), 20, id="also where its framework repeats itself"),
        pytest.param(20, (25,), 25, id="the higher of the two"),
    ],
)
def test_what_was_acknowledged_before_a_term_is_not_handed_over(
    floor: int | None, calls: tuple[int, ...], expected: int | None
) -> None:
    """A successor would miss what others have been given meanwhile, and take that for a rival's."""
    offsets = Offsets(acknowledged=12)
    offsets.start_term(None if floor is None else Offset(value=floor, api_root="r", at=1.0))
    for offset in calls:
        offsets.called(offset)
    given = offsets.to_hand_over(api_root="r", now=5.0)

    assert (given and given.value) == expected


def silence(after: CallEnd, **more: bool) -> Silence:
    """A framework that has been silent since 0."""
    return Silence(
        since=0.0, after=after, fetches_ahead=more.get("ahead", False), keep_briefly=more.get("brief", False)
    )


@pytest.mark.parametrize(
    ("quiet", "alive", "pause", "expected"),
    [
        pytest.param(silence(CallEnd.EMPTY), True, 0.0, 20.0, id="after an empty answer"),
        pytest.param(
            silence(CallEnd.ERROR), True, 0.0, 90.0, id="after an error frameworks sleep up to 60 s"
        ),
        pytest.param(silence(CallEnd.BATCH), True, 0.0, 900.0, id="a slow handler keeps the claim"),
        pytest.param(silence(CallEnd.BATCH), False, 0.0, 1.0, id="its task has ended"),
        pytest.param(silence(CallEnd.EMPTY), False, 0.0, 1.0, id="its task has ended, after an empty answer"),
        pytest.param(silence(CallEnd.BATCH, ahead=True), False, 0.0, 20.0, id="one that fetches ahead"),
        pytest.param(
            silence(CallEnd.CANCELLED, brief=True), True, 0.0, 1.0, id="a plain loop's cancelled call"
        ),
        pytest.param(silence(CallEnd.CANCELLED), True, 0.0, 20.0, id="a cancelled call"),
        pytest.param(
            silence(CallEnd.EMPTY), True, 10.0, 30.0, id="a caller that pauses: three times its pause"
        ),
    ],
)
def test_how_long_a_caller_may_be_silent(quiet: Silence, alive: bool, pause: float, expected: float) -> None:
    """No poll, no claim."""
    assert limit(quiet, Settings(), caller_alive=alive, longest_pause=pause) == expected


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"lease": "0.5"}, "lease must be at least 1 seconds, not 0.5"),
        ({"lease": "nan"}, "lease must be at least 1 seconds, not nan"),
        ({"lease": "soon"}, "lease must be a number, not 'soon'"),
        ({"start": "now"}, "start must be one of 'standby', 'takeover', 'replace', not 'now'"),
        ({"kill_after": "5"}, "kill_after needs start='replace': nothing else may end a process"),
        ({"standby": "perhaps"}, "standby must be yes or no, not 'perhaps'"),
        ({"label": "a\nb"}, "label must be one line of at most 64 characters"),
    ],
)
def test_a_wrong_setting_is_one_sentence(given: dict[str, str], sentence: str) -> None:
    """It names the setting, what it must be, and what it was."""
    with pytest.raises(SettingsError) as raised:
        Settings.parse(given)

    assert str(raised.value) == sentence


def test_settings_are_read_from_texts() -> None:
    """As they stand in the environment."""
    settings = Settings.parse(
        {"lease": "2", "start": "Replace", "kill_after": "3", "standby": "no", "priority": "7"}
    )

    assert (settings.lease, settings.start, settings.kill_after) == (2.0, StartMode.REPLACE, 3.0)
    assert (settings.standby, settings.priority, settings.on_rival) == (False, 7, OnRival.AUTO)


def test_a_report_comes_back_as_it_was() -> None:
    """Also from a file that ends in the middle of a row."""
    rows = [
        BotReport(bot_id=BotId(7), role=Role.POLLING, last_poll=12.5, episodes=1, conflicts=3),
        BotReport(bot_id=BotId(8), role=Role.STANDBY),
    ]

    assert list(unpack(pack(rows) + b"torn")) == rows


@pytest.mark.parametrize(
    "text", ["123:secret", "/bot123:secret/getUpdates", "/bot123%3Asecret/getMe", "bot123%3asecret"]
)
def test_the_bot_id_of_a_token_or_path(text: str) -> None:
    """The digits before the colon."""
    assert bot_id_of(text) == 123


def test_no_token_is_one_sentence_without_the_text() -> None:
    """It might hold a secret."""
    with pytest.raises(ValueError, match="no bot token here") as raised:
        bot_id_of("supersecret")

    assert "supersecret" not in str(raised.value)


def test_our_own_identity() -> None:
    """Boot, namespace, pid and start time name a process together."""
    me = own_identity(label="blue", priority=3)

    assert (me.pid, me.start_ticks) == (os.getpid(), start_ticks(os.getpid()))
    assert me.who == f"{me.host} pid {os.getpid()} ('blue')"


@pytest.mark.parametrize(
    ("url", "drop", "peer", "policy", "verdict"),
    [
        ("", False, False, OnWebhook.REFUSE, Verdict.ANSWER),
        ("", True, False, OnWebhook.REFUSE, Verdict.SEND),
        ("", True, True, OnWebhook.REFUSE, Verdict.ANSWER_UNDROPPED),
        ("https://h/x", False, False, OnWebhook.REFUSE, Verdict.REFUSE),
        ("https://h/x", True, True, OnWebhook.REFUSE, Verdict.REFUSE),
        ("https://h/x", False, False, OnWebhook.DELETE, Verdict.SEND),
        ("https://h/x", True, False, OnWebhook.DELETE, Verdict.SEND),
        ("https://h/x", True, True, OnWebhook.DELETE, Verdict.SEND_UNDROPPED),
    ],
)
def test_a_start_up_deletewebhook_is_judged(
    url: str, drop: bool, peer: bool, policy: OnWebhook, verdict: Verdict
) -> None:
    """Nothing is destroyed unless the user asked for exactly that."""
    assert webhook.judge(url=url, drop=drop, has_peer=peer, policy=policy) is verdict


def test_only_the_host_of_a_webhook_is_shown() -> None:
    """Its path often holds a secret."""
    assert webhook.host_of("https://user:pw@bots.example:8443/hook/secret?token=1") == "bots.example"


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (
            200,
            {"ok": True, "result": [{"update_id": 5}, {"update_id": 6}]},
            Delivered(update_ids=(5, 6), reply="r"),
        ),
        (200, {"ok": True, "result": []}, Delivered(update_ids=(), reply="r")),
        (200, {"ok": True}, Refused(status=200, text="", reply="r")),
        (502, None, Refused(status=502, text="", reply="r")),
        (
            429,
            {"ok": False, "error_code": 429, "description": "slow", "parameters": {"retry_after": 5}},
            Refused(status=429, text="slow", reply="r", retry_after=5.0),
        ),
    ],
)
def test_a_reply_is_read(status: int, body: dict[str, object] | None, expected: object) -> None:
    """Also where it is not what the documentation says."""
    assert outcome_of(status, body, "r") == expected


def test_a_proxys_clients_are_a_row_of_no_bot() -> None:
    """Who reads the bots does not see it; a report without it has none, and a torn one too."""
    bots = [BotReport(bot_id=BotId(7), role=Role.POLLING, conflicts=3)]
    told = Clients(here=12, most=9936)

    assert clients_of(told.row() + pack(bots)) == told
    assert list(unpack(told.row() + pack(bots))) == bots
    assert (clients_of(pack(bots)), clients_of(told.row()[:-1])) == (None, None)
