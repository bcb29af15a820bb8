"""`harness compare RUN RUN`: print what differs between two runs, and from which epoch on."""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from harness.analysis.differences import (
    WITHOUT_WEIGHTS,
    compare_runs,
    differing_environment,
    differing_items,
    verdict,
)
from harness.tracking.backend.uri import tracking_uri

if TYPE_CHECKING:
    from harness.tracking.read_run import Record

MIN_WIDTH = 28  # characters; in a narrower terminal the table would have no room for values


def main(arguments: list[str]) -> int:
    """Print the differences side by side and the verdict; return 0."""
    from harness.tracking.read_run import read_run

    parser = argparse.ArgumentParser(prog="harness compare", description=__doc__)
    parser.add_argument("runs", nargs=2, metavar="RUN", help="an id, its beginning, a fingerprint")
    uri, asked = tracking_uri(None, Path.cwd()), parser.parse_args(arguments).runs
    a, b = (read_run(uri, each) for each in asked)
    for letter, record in (("a", a), ("b", b)):
        print(f"{letter}: {record.run_id} {record.name}")
    print_differences(a, b)
    if missing := [record.missing for record in (a, b) if record.missing]:
        a, b = replace(a, weights=[]), replace(b, weights=[])
        print(*(f"harness: {problem}" for problem in missing), sep="\n", file=sys.stderr)
    agreements = compare_runs(a, b)
    for each in agreements:
        print(f"{each.what}: {each.description}")
    print(f"verdict: {verdict(agreements)}{WITHOUT_WEIGHTS if missing else ''}")
    return 0


def print_differences(a: "Record", b: "Record") -> None:
    """Print a table of the settings, code, data and machines that differ, and of all finals.

    It is at most as wide as the terminal, and longer cells go on below. No line ends in spaces.
    """
    sections = {
        "config": differing_items(a.params, b.params, everything=True),
        "surroundings": differing_environment(a.surroundings, b.surroundings),
        "finals": final_rows(a, b),
    }
    console = Console()
    console.width = max(console.width, MIN_WIDTH)
    longest = max(len(key) for pairs in sections.values() for key in pairs)
    names = Column(width=min(longest, console.width // 2), overflow="fold")
    table = Table.grid(
        names, Column(overflow="fold"), Column(overflow="fold"), padding=(0, 2, 0, 0)
    )
    for title, pairs in sections.items():
        if pairs:
            table.add_row()
            table.add_row(title, "a", "b", style="bold")
            for key, pair in pairs.items():
                table.add_row(*map(Text, (key, *pair)))
    table.add_row()
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        print(line.rstrip())


def final_rows(a: "Record", b: "Record") -> dict[str, tuple[str, str]]:
    """Return the outcome and each number recorded once, as a pair of texts."""
    keys = sorted({*a.metrics, *b.metrics} - {*a.curves, *b.curves})
    ends = tuple(record.outcome or record.status.lower() for record in (a, b))
    pairs = {key: format_pair(a.metrics, b.metrics, key) for key in keys}
    return {"outcome": (ends[0], ends[1]), **pairs}


def format_pair(a: Mapping[str, float], b: Mapping[str, float], key: str) -> tuple[str, str]:
    """Return a number of each run in six digits, or in all digits if six hide the difference."""
    if key in a and key in b and a[key] != b[key] and f"{a[key]:.6g}" == f"{b[key]:.6g}":
        return repr(a[key]), repr(b[key])
    first, second = (f"{each[key]:.6g}" if key in each else "-" for each in (a, b))
    return first, second
