"""`onepoller doctor` against the fake server and real bots: what it prints is what docs/doctor.md shows.

`DOCTOR_TRANSCRIPTS=write` in the environment writes the transcripts of the page anew instead.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from tests.e2e.bots.at_server import PATIENCE, Telegram
from tests.e2e.bots.processes import ROOT, Bot, Bots

pytestmark = pytest.mark.slow

PAGE = ROOT / "docs" / "doctor.md"
WAIT = ("--wait", "2")
"""Shorter than the page says, and longer than a beat of a lease of 2 s."""
HOOK = "https://hooks.example.com/path-of-the-hook"


class Doctor:
    """The command, with a token, at a server."""

    def __init__(self, telegram: Telegram, bots: Bots) -> None:
        self.telegram = telegram
        self.bots = bots
        self.environment = bots.environment({}) | {
            "TELEGRAM_BOT_TOKEN": telegram.token,
            "TELEGRAM_API_ROOT": f"{telegram.url}/_as/doctor",
        }

    def start(
        self,
        *options: str,
        stdin: int = subprocess.DEVNULL,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> subprocess.Popen[str]:
        """Run it; its stdin is no terminal, unless one is given."""
        return subprocess.Popen(
            [sys.executable, "-m", "onepoller", "doctor", *WAIT, *options],
            env=self.environment | dict(environment),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *options: str, **environment: str) -> tuple[int, str]:
        """Run it to its end: exit code and output; the token is nowhere in it."""
        return self.end(self.start(*options, environment=environment))

    def end(self, process: subprocess.Popen[str]) -> tuple[int, str]:
        """Wait for its end."""
        out, err = process.communicate(timeout=PATIENCE)
        assert self.telegram.token.partition(":")[2] not in out + err
        return process.returncode, out + err

    def data(self, *options: str) -> dict[str, Any]:
        """Run it with --json."""
        _, out = self.run("--json", *options)
        found: dict[str, Any] = json.loads(out)
        return found

    def polls(self) -> int:
        """How often it has asked for updates."""
        return sum(row.is_poll and row.poller == "doctor" for row in self.telegram.rows())

    def at_a_terminal(self, answer: str, *options: str) -> tuple[int, str]:
        """Run it where a person answers its question."""
        ours, theirs = os.openpty()
        try:
            process = self.start(*options, stdin=theirs)
            os.write(ours, answer.encode())
            return self.end(process)
        finally:
            os.close(ours)
            os.close(theirs)


@pytest.fixture
def doctor(telegram: Telegram, bots: Bots) -> Doctor:
    """Give the command."""
    return Doctor(telegram, bots)


def as_on_the_page(text: str, doctor: Doctor, *, polled: int) -> str:
    """A transcript without what differs from run to run."""
    pids: dict[str, str] = {}

    def pid(found: re.Match[str]) -> str:
        if found[1] not in pids:
            pids[found[1]] = ("811", "902")[len(pids)]
        return f"pid {pids[found[1]]}"

    text = text.replace(str(doctor.bots.state), "/home/ada/.local/state/onepoller")
    text = text.replace(str(doctor.telegram.bot_id), "123456789")
    text = re.sub(r"127\.0\.0\.1:\d+", "api.telegram.org", text).replace(socket.gethostname(), "alpha")
    text = re.sub(r"pid (\d+)", pid, text)
    text = re.sub(r"\d\d:\d\d:\d\d", "14:02:07", text)
    text = re.sub(r"\d+ s ago", f"{polled} s ago", text)
    text = re.sub(r"\b2 s later|within 2 s", lambda found: found[0].replace("2", "5"), text)
    return re.sub(r"after \d+\.\d s", "after 4.0 s", text)


def check(
    name: str, doctor: Doctor, outcome: tuple[int, str], *, code: int, asked: str = "", polled: int = 3
) -> None:
    """Compare an output with its transcript, or write that. `polled`: seconds ago, on the page."""
    text = as_on_the_page(outcome[1], doctor, polled=polled)
    made = f"$ onepoller doctor{asked}\n{text}$ echo $?\n{outcome[0]}\n"
    block = re.compile(rf"(<!-- transcript: {name} -->\n```console\n)(.*?)(```)", re.DOTALL)
    page = PAGE.read_text(encoding="utf-8")
    found = block.search(page)
    assert found is not None
    assert outcome[0] == code, outcome[1]
    if os.environ.get("DOCTOR_TRANSCRIPTS") == "write":
        PAGE.write_text(page[: found.start(2)] + made + page[found.end(2) :], encoding="utf-8")
    else:
        assert found[2] == made


def polling(doctor: Doctor, *, on_rival: str | None = None) -> Bot:
    """A guarded bot that has had an answer, and knows it: it has polled again."""
    name = "blue"
    bot = doctor.bots.bare(name, on_rival=on_rival)
    row = doctor.telegram.wait_for(
        lambda row: row.poller == name and row.how == "empty" and row.parked_at is not None
    )
    doctor.telegram.wait_parked(name, after=row.seq)
    return bot


def test_one_instance_that_polls_is_healthy(doctor: Doctor) -> None:
    """Its code is 0, and it has asked for no updates."""
    polling(doctor)
    check("healthy", doctor, doctor.run(), code=0)
    assert doctor.polls() == 0


def test_two_of_our_own_are_no_problem(doctor: Doctor) -> None:
    """Both are named, and how to pass the bot on."""
    polling(doctor)
    doctor.bots.bare("green").wait_said(role="standby")
    check("peer", doctor, doctor.run(), code=0)


def test_a_rival_of_our_own_instance_is_known_from_its_store(doctor: Doctor) -> None:
    """The open episode is the evidence: nothing is polled to find it."""
    telegram, blue = doctor.telegram, polling(doctor, on_rival="hold")
    rival = telegram.control.start_rival(telegram.bot_id, "ptb", name=f"rival of {telegram.bot_id}")
    blue.wait_said(opened="rival")
    check("rival", doctor, doctor.run(), code=1)
    assert doctor.polls() == 0
    telegram.control.stop_rival(rival)


def test_a_rival_that_takes_updates_is_seen_by_their_number(doctor: Doctor) -> None:
    """Nobody of ours polls, and fewer updates wait at the second look."""
    telegram = doctor.telegram
    telegram.push(3)
    process = doctor.start()
    telegram.wait_for(lambda row: row.method == "getwebhookinfo" and row.how == "ok")
    rival = telegram.control.start_rival(telegram.bot_id, "aiogram", name=f"rival of {telegram.bot_id}")
    check("rival by its updates", doctor, doctor.end(process), code=1)
    telegram.control.stop_rival(rival)


def test_a_probe_finds_an_idle_rival_and_says_what_it_cost(doctor: Doctor) -> None:
    """The rival sees one 409 and the probe the other; nothing was confirmed."""
    telegram = doctor.telegram
    rival = telegram.control.start_rival(telegram.bot_id, "aiogram", name=f"rival of {telegram.bot_id}")
    telegram.wait_parked(rival)
    outcome = doctor.run("--probe", "8", "--yes")
    check("probe", doctor, outcome, code=1, asked=" --probe 8 --yes")
    assert [(row.poller, row.how) for row in telegram.rows() if row.is_poll][:2] == [
        (rival, "conflict"),
        ("doctor", "conflict"),
    ]
    assert doctor.polls() == 1
    telegram.control.stop_rival(rival)


def test_a_probe_asks_first(doctor: Doctor) -> None:
    """A no is taken for a no."""
    code, text = doctor.at_a_terminal("n\n", "--probe", "8")
    assert (
        "Whoever polls this bot is thrown out once and sees one 409; no update is taken. Probe? [y/N]" in text
    )
    assert "probe not made: you said no.\n" in text
    assert (code, doctor.polls()) == (0, 0)


def test_a_probe_beside_our_own_poller_says_that_it_threw_that_out(doctor: Doctor) -> None:
    """No rival is found, the instance that paid is named, and it polls on."""
    telegram = doctor.telegram
    polling(doctor, on_rival="hold")
    data = doctor.data("--probe", "8", "--yes")
    who = data["holder"]["who"]
    assert [finding["cause"] for finding in data["findings"]] == ["healthy"]
    assert data["probe"]["end"] == "conflict"
    assert f"It cost {who} one poll at most" in data["probe"]["account"]
    telegram.wait_parked("blue", after=telegram.last())


def test_a_webhook_is_named_by_its_host_alone(doctor: Doctor) -> None:
    """The path is a secret of its owner; a poller of ours waits meanwhile."""
    telegram, blue = doctor.telegram, polling(doctor)
    telegram.control.set_webhook(telegram.bot_id, HOOK)
    blue.wait_said(role="blocked")
    outcome = doctor.run()
    assert "path-of-the-hook" not in outcome[1]
    check("webhook", doctor, outcome, code=1)


def test_a_probe_is_not_made_while_a_webhook_is_set(doctor: Doctor) -> None:
    """Telegram would refuse it, whoever polls."""
    doctor.telegram.control.set_webhook(doctor.telegram.bot_id, HOOK)
    probe = doctor.data("--probe", "8", "--yes")["probe"]
    assert (probe["end"], probe["text"]) == (
        "skipped",
        "Telegram refuses getUpdates while a webhook is set",
    )
    assert doctor.polls() == 0


def test_a_loop_that_has_ended_in_a_living_process_is_a_dead_poller(doctor: Doctor) -> None:
    """Its process has the bot open in the store, updates wait, and nobody takes them."""
    telegram, blue = doctor.telegram, polling(doctor)
    blue.tell("silence")
    blue.wait_said(claim="released")
    telegram.push(2)
    check("dead poller", doctor, doctor.run(), code=1, polled=40)


def test_updates_that_nobody_takes_have_no_poller(doctor: Doctor) -> None:
    """Without any process in the store; the store is not made by looking."""
    doctor.telegram.push(2)
    check("nobody", doctor, doctor.run(), code=1)
    assert not doctor.bots.state.exists()


def test_an_idle_bot_without_instances_stays_unknown(doctor: Doctor) -> None:
    """No update waits and nobody is in the store: that proves nothing, and is said so."""
    check("unseen", doctor, doctor.run(), code=0)


def test_a_revoked_token(doctor: Doctor) -> None:
    """Telegram's 401, in words."""
    doctor.telegram.control.revoke(doctor.telegram.bot_id)
    check("revoked", doctor, doctor.run(), code=1)


def test_a_malformed_token_is_sent_nowhere(doctor: Doctor) -> None:
    """What is wrong with it is said, and no part of it shown."""
    token = f'"{doctor.telegram.token}"'
    check("malformed", doctor, doctor.run(TELEGRAM_BOT_TOKEN=token), code=1)
    assert doctor.telegram.rows() == []


def test_telegram_out_of_reach_is_69(doctor: Doctor) -> None:
    """Nobody listens there."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        check("unreachable", doctor, doctor.run(TELEGRAM_API_ROOT=url), code=69)


@pytest.mark.parametrize(
    ("options", "environment", "said"),
    [
        pytest.param(
            ["--probe", "8"],
            {},
            "onepoller: doctor: a probe throws out whoever polls, and here is nobody to ask: add --yes\n",
            id="a probe without a terminal and without --yes",
        ),
        pytest.param(
            [],
            {"TELEGRAM_BOT_TOKEN": ""},
            "onepoller: doctor: TELEGRAM_BOT_TOKEN is not set; name the token's variable with --token-env\n",
            id="no token",
        ),
        pytest.param(
            [],
            {"TELEGRAM_API_ROOT": "api.telegram.org"},
            "onepoller: doctor: --api-root must be a URL such as https://api.telegram.org\n",
            id="no API root",
        ),
    ],
)
def test_wrong_usage_is_one_sentence_and_2(
    doctor: Doctor, options: list[str], environment: Mapping[str, str], said: str
) -> None:
    """Before anything is sent."""
    assert doctor.run(*options, **environment) == (2, said)
    assert doctor.telegram.rows() == []


def test_json_has_the_same_facts(doctor: Doctor) -> None:
    """Findings with their cause, evidence and advice, and the exit code."""
    doctor.telegram.push(1)
    data = doctor.data()
    [finding] = data["findings"]
    assert (finding["cause"], finding["level"], data["exit_code"]) == ("nobody_polls", "problem", 1)
    assert finding["evidence"] == [
        "1 update waits, and 2 s later 1: nobody confirms them",
        "no process has this bot open in our store",
    ]
    assert [look["pending"] for look in data["looks"]] == [1, 1]


def test_no_token_comes_out_of_an_answer_that_quotes_it(doctor: Doctor) -> None:
    """A server between that repeats the URL in its error."""
    telegram = doctor.telegram
    telegram.control.fault(
        telegram.bot_id, status=400, description=f"no such path: /bot{telegram.token}/getMe", method="getMe"
    )
    code, text = doctor.run()
    assert code == 1
    assert f"/bot{telegram.bot_id}:***/getMe" in text


def test_every_transcript_of_the_page_is_made_here() -> None:
    """None stands there that no test has seen."""
    page = set(re.findall(r"<!-- transcript: (.*?) -->", PAGE.read_text(encoding="utf-8")))
    made = set(re.findall(r"check\(\"(.*?)\"", Path(__file__).read_text(encoding="utf-8")))
    assert page == made
