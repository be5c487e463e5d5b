"""Three members: a session outlives the loss of any of them, also of the one that leads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from onepoller.coordination.errors import StoreUnavailable
from onepoller.coordination.identity import BotId
from onepoller.coordination.stores.engine import Address
from onepoller.coordination.stores.etcd import EtcdStore, make
from onepoller.coordination.stores.seam import Session
from tests.e2e.engines.etcd_calls import call, me, take
from tests.e2e.engines.servers import Etcd, Require

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
BOT = BotId(7000000001)


class Member(Etcd):
    """One of several; each knows the others by where they listen to their peers."""

    def __init__(self, found: Path, folder: Path) -> None:
        self.cluster: list[Member] = []
        super().__init__(found, folder)

    @property
    def peer(self) -> str:
        """Name and address."""
        return f"{self.folder.name}=http://127.0.0.1:{self._peers}"

    def _command(self) -> list[str]:
        names = {"--name": self.folder.name, "--initial-cluster": ",".join(one.peer for one in self.cluster)}
        command = super()._command()
        for option, value in names.items():
            command[command.index(option) + 1] = value
        return command


@pytest.fixture
def cluster(require_program: Require, tmp_path: Path) -> Iterator[list[Member]]:
    """Give a cluster of three; a member answers when it has found a second one."""
    members = [Member(require_program("etcd"), tmp_path / name) for name in ("one", "two", "three")]
    for member in members:
        member.cluster = members
    with ThreadPoolExecutor() as starting:
        list(starting.map(Member.start, members))
    yield members
    for member in members:
        member.kill()


def leader(cluster: list[Member]) -> Member:
    """The member that leads."""
    said = {member: call(member, "maintenance/status") for member in cluster}
    return next(one for one, status in said.items() if status["leader"] == status["header"]["member_id"])


async def is_answered(store: EtcdStore, session: Session) -> bool:
    """Whether a beat is; after one that is not there is a pause, as an instance makes it."""
    try:
        await store.beat(session)
    except StoreUnavailable:
        await asyncio.sleep(0.2)
        return False
    return True


@pytest.mark.parametrize("is_leader", [True, False], ids=["the leader", "the one that is asked"])
async def test_a_session_outlives_the_loss_of_a_member(cluster: list[Member], *, is_leader: bool) -> None:
    """It beats and writes on, within its lease."""
    lost = leader(cluster) if is_leader else cluster[0]
    hosts = ",".join(f"127.0.0.1:{member.port}" for member in cluster)
    store = make(Address.of(f"etcd://{hosts}"), lease=10.0)
    session = await store.open(me())
    claim = (await store.swap(session, take([BOT], session))).written[BOT]
    lost.kill()
    async with asyncio.timeout(8):
        while not await is_answered(store, session):
            continue
    assert session.has_claim(BOT, claim.term)
    assert (await store.read([BOT])).claims[BOT] == claim
    assert (await store.swap(session, take([BotId(7000000002)], session))).written
    await store.close(session)
