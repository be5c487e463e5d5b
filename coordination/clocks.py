"""Where time and chance come from."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from onepoller.coordination.identity import boot_clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """Where time and chance come from; replaced in simulations."""

    monotonic: Callable[[], float] = time.monotonic
    boot: Callable[[], float] = boot_clock
    wall: Callable[[], float] = time.time
    chance: Callable[[], float] = random.random
