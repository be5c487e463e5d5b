"""`make servers`, with stand-ins for apt-get and id: it installs what is missing and starts nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


class Machine:
    """A directory with the Makefile, an apt-get that notes its calls, and a user of our choice."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.policy = root / "policy-rc.d"
        shutil.copy(ROOT / "Makefile", root)
        (root / "bin").mkdir()
        note = f'test -x "{self.policy}" && policy=kept || policy=none\necho "$policy $*" >> "{root}/calls"\n'
        self._program("apt-get", note)

    def _program(self, name: str, body: str) -> None:
        path = self.root / "bin" / name
        path.write_text(f"#!/bin/sh\n{body}", encoding="utf-8")
        path.chmod(0o755)

    def servers(self, *names: str, user: int = 0) -> subprocess.CompletedProcess[str]:
        """Run `make servers` as if it knew these servers."""
        self._program("id", f"echo {user}\n")
        return subprocess.run(
            [
                "make",
                "servers",
                f"SERVERS={' '.join(names)}",
                "PACKAGES=a:package-of-a c:package-of-c",
                f"POLICY={self.policy}",
            ],
            cwd=self.root,
            env={"PATH": f"{self.root}/bin:{os.environ['PATH']}"},
            capture_output=True,
            check=False,
            text=True,
        )

    def calls(self) -> list[str]:
        """List the calls of apt-get, each after whether a policy kept services down."""
        path = self.root / "calls"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Give a machine without a policy of its own."""
    return Machine(tmp_path)


def test_what_is_missing_is_installed_with_services_kept_down(machine: Machine) -> None:
    """No package of what is there, which may come from elsewhere; a policy stands during it."""
    machine.servers("sh", "no-such-server", "c")

    assert machine.calls() == [
        "kept update -qq",
        "kept install -qq -y --no-install-recommends no-such-server package-of-c",
    ]


def test_our_policy_goes_with_us(machine: Machine) -> None:
    """The machine starts services again as before."""
    machine.servers("no-such-server")

    assert not machine.policy.exists()


def test_a_policy_of_the_machine_stays(machine: Machine) -> None:
    """Somebody else's policy is neither overwritten nor removed."""
    machine.policy.write_text("theirs", encoding="utf-8")
    machine.servers("no-such-server")

    assert machine.policy.read_text(encoding="utf-8") == "theirs"


def test_with_nothing_missing_nothing_is_done(machine: Machine) -> None:
    """A second run costs nothing, and needs no root."""
    result = machine.servers("sh", user=1000)

    assert (result.stdout, machine.calls()) == ("Installed already: sh.\n", [])


def test_who_cannot_install_is_told_what_is_missing(machine: Machine) -> None:
    """No attempt that could only fail."""
    result = machine.servers("no-such-server", user=1000)

    assert "Missing: no-such-server. To install them here takes root and apt-get.\n" in result.stderr
    assert (result.returncode, machine.calls()) == (2, [])
