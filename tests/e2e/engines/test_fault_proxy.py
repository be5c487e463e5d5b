"""The fault proxy does to a connection what it says, seen from both of its ends."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.e2e.engines.fault_proxy import FaultProxy, Way

PATIENCE = 45.0
SILENCE = 0.05
"""What was held back would have come in this time, over a loopback."""


class Ends:
    """A listening server, and a client that reaches it through a proxy."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.listening.settimeout(PATIENCE)
        self.proxy = stack.enter_context(FaultProxy(self.listening.getsockname()[1]))
        self.client = self.connect()
        self.server = self.accept()

    def connect(self) -> socket.socket:
        """One more client."""
        address = ("127.0.0.1", self.proxy.port)
        return self._stack.enter_context(socket.create_connection(address, PATIENCE))

    def accept(self) -> socket.socket:
        """Give the server's end of the next connection."""
        accepted = self._stack.enter_context(self.listening.accept()[0])
        accepted.settimeout(PATIENCE)
        return accepted


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Give both ends of a connection through a proxy."""
    with ExitStack() as stack:
        yield Ends(stack)


def is_silent(end: socket.socket) -> bool:
    """Whether nothing comes here, not even an end."""
    end.settimeout(SILENCE)
    try:
        end.recv(1)
    except TimeoutError:
        return True
    finally:
        end.settimeout(PATIENCE)
    return False


def test_it_passes_bytes_and_the_end_in_both_directions(ends: Ends) -> None:
    """Without an order it is not there."""
    ends.client.sendall(b"ask")
    assert ends.server.recv(9) == b"ask"
    ends.server.sendall(b"answer")
    assert ends.client.recv(9) == b"answer"
    ends.server.close()
    assert ends.client.recv(9) == b""


def test_a_blackhole_holds_everything_back_until_it_is_healed(ends: Ends) -> None:
    """What was sent meanwhile arrives then."""
    ends.proxy.blackhole()
    ends.client.sendall(b"late")
    ends.server.sendall(b"late too")
    assert is_silent(ends.server)
    assert is_silent(ends.client)
    ends.proxy.heal()
    assert (ends.server.recv(9), ends.client.recv(9)) == (b"late", b"late too")


def test_a_blackhole_of_one_direction_passes_the_other(ends: Ends) -> None:
    """The server hears and its answer is lost: the worst of it."""
    ends.proxy.blackhole(Way.DOWN)
    ends.client.sendall(b"write")
    assert ends.server.recv(9) == b"write"
    ends.server.sendall(b"written")
    assert is_silent(ends.client)


def test_a_blackhole_takes_connections_that_go_nowhere(ends: Ends) -> None:
    """The client connects, the server does not see it before the end of the fault."""
    ends.proxy.blackhole()
    ends.connect().sendall(b"hello")
    ends.listening.settimeout(SILENCE)
    with pytest.raises(TimeoutError):
        ends.accept()
    ends.listening.settimeout(PATIENCE)
    ends.proxy.heal()
    assert ends.accept().recv(9) == b"hello"


def test_a_delay_takes_time_in_each_direction(ends: Ends) -> None:
    """And is gone when it is healed."""
    ends.proxy.delay(SILENCE)
    started = time.monotonic()
    ends.client.sendall(b"slow")
    assert ends.server.recv(9) == b"slow"
    assert time.monotonic() - started >= SILENCE


def test_a_reset_reaches_both_sides_and_spares_new_connections(ends: Ends) -> None:
    """It is a RST, not an end in good order."""
    ends.proxy.reset()
    for end in (ends.client, ends.server):
        with pytest.raises(ConnectionResetError):
            end.recv(9)
    ends.connect().sendall(b"again")
    assert ends.accept().recv(9) == b"again"


@pytest.mark.parametrize("server_hears", [True, False])
def test_a_forgotten_connection_is_dead_without_the_clients_knowing(
    ends: Ends, *, server_hears: bool
) -> None:
    """The server may hear of it; the client does not, and a new connection of it passes."""
    ends.proxy.forget(server_hears=server_hears)
    ends.client.sendall(b"lost")
    if server_hears:
        assert ends.server.recv(9) == b""
    else:
        assert is_silent(ends.server)
    ends.client.shutdown(socket.SHUT_WR)
    assert is_silent(ends.client)
    ends.connect().sendall(b"new")
    assert ends.accept().recv(9) == b"new"


def test_a_planned_fault_strikes_the_piece_that_it_waits_for(ends: Ends) -> None:
    """What came before has passed, in this direction and in the other."""
    struck = ends.proxy.plan(ends.proxy.blackhole, Way.UP, 2)
    ends.server.sendall(b"not this way")
    assert ends.client.recv(20) == b"not this way"
    ends.client.sendall(b"first")
    assert (ends.server.recv(9), struck.is_set()) == (b"first", False)
    ends.client.sendall(b"second")
    assert struck.wait(PATIENCE)
    assert is_silent(ends.server)
    ends.proxy.heal()
    assert ends.server.recv(9) == b"second"


def test_a_planned_reset_loses_the_piece_that_it_waits_for(ends: Ends) -> None:
    """Its sender does not know whether it has arrived; a plan is obeyed once."""
    assert not ends.proxy.plan(ends.proxy.reset, Way.DOWN, 1).is_set()
    ends.server.sendall(b"lost")
    with pytest.raises(ConnectionResetError):
        ends.client.recv(9)
    client, server = ends.connect(), ends.accept()
    server.sendall(b"here")
    assert client.recv(9) == b"here"


def test_who_refuses_ends_what_is_open_and_takes_nothing_until_it_is_healed(ends: Ends) -> None:
    """The port stays the same."""
    ends.proxy.refuse()
    with pytest.raises(ConnectionResetError):
        ends.client.recv(9)
    with pytest.raises(ConnectionRefusedError):
        ends.connect()
    ends.proxy.heal()
    ends.connect().sendall(b"back")
    assert ends.accept().recv(9) == b"back"
