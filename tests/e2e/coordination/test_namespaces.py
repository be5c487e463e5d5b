"""Two containers that share the directory: bots in PID namespaces, where every pid means another process."""

from __future__ import annotations

import json
import subprocess

import pytest

from onepoller.testing.botapi import conflicts, overlaps
from tests.e2e.bots.at_server import Telegram
from tests.e2e.bots.processes import Bots

pytestmark = pytest.mark.slow
CONTAINER = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]


@pytest.fixture
def need_namespaces() -> None:
    """Skip where PID namespaces may not be made."""
    try:
        made = subprocess.run([*CONTAINER, "true"], check=False, capture_output=True, timeout=10)
    except FileNotFoundError:
        pytest.skip("install unshare (package util-linux)")
    if made.returncode:
        pytest.skip("needs the right to make a PID namespace")


@pytest.mark.usefixtures("need_namespaces")
@pytest.mark.parametrize("kind", [pytest.param("ptb", marks=pytest.mark.soak), "bare"])
def test_two_pid_namespaces_share_one_claim(telegram: Telegram, bots: Bots, kind: str) -> None:
    """One polls, with pid 1, the other stands by with pid 1; the first namespace is killed: takeover."""
    start = bots.ptb if kind == "ptb" else bots.bare
    holder = start("a", before=CONTAINER)
    telegram.wait_parked("a")
    standby = start("b", before=CONTAINER)
    standby.wait_said(role="standby")
    shown = json.loads(bots.run("status", "--json").stdout)["bots"][0]
    assert (shown["holder"]["label"], shown["holder"]["pid"], shown["standbys"][0]["pid"]) == ("a", 1, 1)
    before = telegram.last()
    holder.kill()  # unshare; its child, which is the namespace's init, goes with it
    telegram.wait_polled_by_another("a", after=before)
    telegram.push()
    standby.wait_handled(telegram.pushed())
    assert (overlaps(telegram.rows()), conflicts(telegram.rows())) == ([], [])


@pytest.mark.usefixtures("need_namespaces")
def test_a_holder_in_another_namespace_is_not_ended_by_its_pid(telegram: Telegram, bots: Bots) -> None:
    """`replace` with `kill_after` names pid 1 of another namespace: nobody is killed, a term fences it."""
    holder = bots.bare("a", "--timeout", "2", before=CONTAINER, lease=3600)
    telegram.wait_parked("a")
    holder.tell("block", "6")
    newcomer = bots.bare("b", start="replace", kill_after=0, replace_after=2, lease=3600)
    telegram.wait_polled_by_another("a")
    newcomer.wait_said(claim="taken_over", cause="fenced")
    holder.wait_said(claim="lost")
    assert holder.process.poll() is None
    telegram.push()
    newcomer.wait_handled(telegram.pushed())
    assert holder.handled == []
