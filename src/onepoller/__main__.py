"""`python -m onepoller`."""

import sys

from onepoller.cli import main

if __name__ == "__main__":
    sys.exit(main())
