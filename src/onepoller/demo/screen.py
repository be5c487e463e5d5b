"""What the watcher sees: a few sentences before each act, numbers that move, one table at the end.

On a terminal the numbers move in place. Elsewhere (CI, a pipe) each block of numbers is printed once, when it
is final, so the text stays readable without any control codes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from onepoller.demo.verdict import Finding

Show = Callable[[float, Sequence[str]], None]
"""Called with the share of the act that is done and with the lines to show."""
BAR = 40
INDENT = (0, 0, 0, 2)


class Screen:
    """One console."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def title(self, text: str) -> None:
        """Begin an act."""
        self._console.print()
        self._console.print(Text(text, style="bold"))

    def tell(self, text: str) -> None:
        """Say what is about to be seen, and why."""
        self._console.print(Padding(Text(text), INDENT))

    @contextmanager
    def moving(self) -> Iterator[Show]:
        """Give a function that shows how far it is, and numbers, until the block ends."""
        if not self._console.is_terminal:
            last: list[str] = []

            def remember(_: float, lines: Sequence[str]) -> None:
                last[:] = lines

            yield remember
            for line in last:
                self.tell(line)
            return
        with Live(console=self._console, refresh_per_second=8) as live:

            def show(done: float, lines: Sequence[str]) -> None:
                shown: list[Text | ProgressBar] = [Text(line) for line in lines]
                if done < 1:
                    shown.append(ProgressBar(total=1.0, completed=done, width=BAR))
                live.update(Padding(Group(*shown), INDENT))

            yield show

    def table(self, acts: Sequence[tuple[str, Sequence[Finding]]]) -> None:
        """Show everything that was measured beside what was promised."""
        table = Table(title="What was promised, and what was measured", title_justify="left", expand=False)
        table.add_column("what", ratio=5)
        table.add_column("promised", no_wrap=True)
        table.add_column("measured", ratio=4)
        table.add_column("ok", no_wrap=True)
        for name, findings in acts:
            table.add_section()
            table.add_row(Text(name, style="bold"))
            for finding in findings:
                table.add_row(finding.what, finding.promised, finding.measured, _mark(finding))
        self._console.print()
        self._console.print(table)


def _mark(finding: Finding) -> Text:
    if finding.is_kept is None:
        return Text("-", style="dim")
    return Text("yes", style="green") if finding.is_kept else Text("NO", style="bold red")
