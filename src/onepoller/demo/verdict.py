"""What was measured, beside what was promised. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One row of the table at the end. `is_kept` is None for what nobody promised."""

    what: str
    measured: str
    promised: str = "-"
    is_kept: bool | None = None


def none_of(what: str, count: int, *, of: str = "") -> Finding:
    """Judge something that must not happen at all."""
    measured = f"{count} of {of}" if of else str(count)
    return Finding(what=what, promised="0", measured=measured, is_kept=count == 0)


def under(what: str, seconds: float, bound: float, *, note: str = "") -> Finding:
    """Judge a time that has a bound."""
    measured = f"{duration(seconds)}{note}"
    return Finding(what=what, promised=f"< {duration(bound)}", measured=measured, is_kept=seconds < bound)


def all_kept(findings: Iterable[Finding]) -> bool:
    """Say whether every promise held."""
    return all(finding.is_kept is not False for finding in findings)


def duration(seconds: float) -> str:
    """Write a time so that its size is seen: 3.4 ms, 48 ms, 12.3 s, 15 s."""
    if seconds >= 1:
        return f"{seconds:.3g} s"
    digits = 1 if seconds < 0.01 else 0
    return f"{seconds * 1000:.{digits}f} ms".replace(".0 ms", " ms")
