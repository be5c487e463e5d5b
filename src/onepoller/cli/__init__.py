"""The command line: `onepoller status|handover|move|proxy|run|demo|fake-api`, or `python -m onepoller`.

Wrong input is one sentence and exit code 2. Commands are thin: they put parts together and print.
"""

from onepoller.cli.app import main

__all__ = ["main"]
