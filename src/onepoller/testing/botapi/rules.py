"""The numbers of the server that a test may want to change, and nothing else."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Times are seconds. The defaults are the published server's, or quick where it has none.

    conflict_pause: how long after an immediate 409 further ones are held back, and for how long. 0 gives the
        naive server that every other test double is.
    newcomer_refused: while a poll has been parked for less than this, another that would park is answered 409
        at once, and the first one stays; later it is evicted as usual. None: evicted always.
    wake_after, wake_at_most: how a parked poll waits for more updates.
    webhook_close, webhook_copy, webhook_verify: how long an old webhook takes to close, a certificate to
        copy, a new webhook to be verified.
    closing: how long `close` takes. only_known_tokens: refuse tokens that nobody authorised. Off, every
    well-formed token is good until revoked.
    """

    conflict_pause: float = 3.0
    newcomer_refused: float | None = None
    wake_after: float = 0.001
    wake_at_most: float = 0.002
    webhook_close: float = 0.001
    webhook_copy: float = 0.001
    webhook_verify: float = 0.01
    closing: float = 0.05
    only_known_tokens: bool = False


FAITHFUL = Rules()
NEWCOMER_REFUSED = Rules(newcomer_refused=35.0, conflict_pause=0.0)
"""The other server, which users report and no source shows: the second of two polls is told of the first."""
