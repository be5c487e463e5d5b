"""The command `onepoller proxy`, with the options given, that ends with the demo."""

from __future__ import annotations

import runpy
import sys

from onepoller.demo import leash

if __name__ == "__main__":
    leash.hold()
    sys.argv.insert(1, "proxy")
    runpy.run_module("onepoller", run_name="__main__")
