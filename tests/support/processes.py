"""Which processes a program has started."""

from contextlib import suppress
from pathlib import Path

import psutil


def workers(process=None):
    """The worker processes of a program, this one if none is given."""
    found = []
    for child in (process or psutil.Process()).children(recursive=True):
        with suppress(psutil.Error):  # it has just gone
            found += [child] if any("popen_loky" in arg for arg in child.cmdline()) else []
    return found


def descendants(pid: int) -> set[int]:
    """All processes under one, from /proc."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found, fresh = set(), {pid}
    while fresh := {child for child, parent in parents.items() if parent in fresh}:
        found |= fresh
    return found
