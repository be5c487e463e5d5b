"""The command runner: a bot that nobody can change, as a child process that lives only with the claim.

    tenure        a child's life as the guard sees it: held, lost, handed over
    behind_proxy  the same for a child whose polls come through a sidecar
    supervisor    lives one after the other, signals, the exit code
    restart       whether and when COMMAND starts again; pure
    child         one life: process, process group, SIGTERM, grace, SIGKILL
    launch        a program of its own: becomes COMMAND, and leaves a keeper behind
    reaping       waits for every child, as PID 1 for everybody's
    notify        the words of systemd

Without a proxy it knows only that COMMAND lives: its polls, and the 409s that they meet, are its own affair.
"""

from onepoller.adapters.command import behind_proxy, tenure
from onepoller.adapters.command.child import Command
from onepoller.adapters.command.notify import Notifier
from onepoller.adapters.command.reaping import Reaper
from onepoller.adapters.command.restart import Restart
from onepoller.adapters.command.supervisor import FORWARDED, Supervisor

__all__ = ["FORWARDED", "Command", "Notifier", "Reaper", "Restart", "Supervisor", "behind_proxy", "tenure"]
