"""The command line: `onepoller COMMAND`, or `python -m onepoller COMMAND`.

Wrong input is one sentence and exit code 2. Commands are thin: they put parts together and print.
"""

from onepoller.cli.app import main

__all__ = ["main"]
