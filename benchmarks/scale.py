"""How much is measured: enough to publish, or enough to see that a change has not made things worse."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Counts and seconds of one run of the benchmarks."""

    name: str
    takeovers: int
    handovers: int
    poll_pairs: int
    """Pairs of polls, bare and guarded, for each adapter and reply."""
    fleets: tuple[int, ...]
    fleet_repeats: int
    """How often the largest fleet claims and is taken over."""
    idle_seconds: tuple[float, float]
    """How long the largest fleet is looked at: while its calls sleep, and while they end and begin."""
    idle_briefly: tuple[float, float]
    """The same of the others."""
    engine_handovers: int
    engine_falls: tuple[int, int]
    """How often each holder on a server is killed, and how often it is frozen."""
    engine_fleet: int
    """Bots of the large fleet on a server."""
    engine_claims: int
    """How often so many claims are taken."""
    engine_idle: float
    """How long the commands are counted at each server, seconds."""
    proxy_rounds: int
    """How often the direct connection, nginx and the proxy take turns."""
    proxy_seconds: float
    """How long each of them is under load at a time."""
    proxy_parked: int
    proxy_standby: int
    """Polls that the proxy has open, and that wait in it, as far as they fit."""
    proxy_idle: float
    """How long it is looked at with them; all of it must be over before the 50 s of a poll are."""


FULL = Scale(
    name="full",
    takeovers=100,
    handovers=50,
    poll_pairs=1_000,
    fleets=(1, 100, 1_000, 10_000),
    fleet_repeats=3,
    idle_seconds=(20.0, 10.0),
    idle_briefly=(5.0, 0.0),
    engine_handovers=30,
    engine_falls=(12, 8),
    engine_fleet=10_000,
    engine_claims=3,
    engine_idle=60.0,
    proxy_rounds=3,
    proxy_seconds=1.0,
    proxy_parked=8_000,
    proxy_standby=15_000,
    proxy_idle=5.0,
)
QUICK = Scale(
    name="quick",
    takeovers=10,
    handovers=15,
    poll_pairs=200,
    fleets=(1, 1_000, 10_000),
    fleet_repeats=2,
    idle_seconds=(5.0, 0.0),
    idle_briefly=(2.0, 0.0),
    engine_handovers=5,
    engine_falls=(2, 1),
    engine_fleet=1_000,
    engine_claims=1,
    engine_idle=20.0,
    proxy_rounds=2,
    proxy_seconds=0.5,
    proxy_parked=1_000,
    proxy_standby=1_000,
    proxy_idle=3.0,
)
