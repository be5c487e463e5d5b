"""gunicorn's hooks for `workers_gunicorn.py`: the bot starts after the fork and stops with its worker.

Not at import: with `--preload` that would be in the master, which serves nobody, and threads do not survive a
fork. Not in an exit handler: there an interpreter makes no new connections by name.
"""

from typing import Any


def post_worker_init(_worker: Any) -> None:
    """Called in each worker once its application is loaded."""
    from workers_gunicorn import bot  # noqa: PLC0415  # the worker's own, not the master's

    bot.start()


def worker_exit(_server: Any, _worker: Any) -> None:
    """Called in each worker before it ends."""
    from workers_gunicorn import bot  # noqa: PLC0415  # as above

    bot.stop()
