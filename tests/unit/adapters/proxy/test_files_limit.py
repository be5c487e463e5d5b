"""How many clients fit."""

from __future__ import annotations

import resource

import pytest

from onepoller.adapters.proxy import files_limit


@pytest.mark.parametrize(("files", "clients"), [(20_000, 9_936), (1_024, 448), (64, 1)])
def test_each_client_counts_twice(files: int, clients: int) -> None:
    """Its own connection, and one to the Bot API; some files are kept for everything else."""
    assert files_limit.clients_that_fit(files) == clients


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    """What the system grants is used."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 1_000), hard))
    try:
        assert (files_limit.raised(), resource.getrlimit(resource.RLIMIT_NOFILE)) == (hard, (hard, hard))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
