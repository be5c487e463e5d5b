"""Compare the files of a wheel with those of src/onepoller: ``python .ci/wheel_files.py WHEEL``.

The wheel is built from the sdist, so a file that one of the two forgot is missing here. Linked folders count
with what they hold.
"""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path


def in_tree(source: Path) -> set[str]:
    """List every file that the wheel must hold, relative to `source`: all but what tools made."""
    found: set[str] = set()
    for folder, subfolders, names in os.walk(source, followlinks=True):
        subfolders[:] = [name for name in subfolders if not name.endswith(("__pycache__", ".egg-info"))]
        found.update(str((Path(folder) / name).relative_to(source)) for name in names)
    return found


def in_wheel(wheel: Path) -> set[str]:
    """List every file of the wheel but its metadata."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    return {name for name in names if not name.partition("/")[0].endswith(".dist-info")}


def main(wheel: Path) -> int:
    """Print what differs, or how many files agree; the exit code says which."""
    tree, packed = in_tree(Path("src")), in_wheel(wheel)
    for name in sorted(tree - packed):
        print(f"missing in the wheel: {name}")
    for name in sorted(packed - tree):
        print(f"only in the wheel: {name}")
    if tree == packed:
        print(f"The wheel holds the {len(tree)} files of src, and no others.")
    return int(tree != packed)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
