"""`onepoller doctor`: which of the known causes it is, with the evidence, and what to do.

What belongs here: evidence (records of what was seen), how it is gathered (the token, Telegram, the store),
the pure `diagnose`, and how it is shown. It reads; it polls only as a probe, where that was asked for.
"""

from onepoller.cli.doctor.examination import Given, run

__all__ = ["Given", "run"]
