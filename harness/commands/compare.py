"""`harness compare RUN RUN`: what two runs differ in, and from which epoch on it shows."""

import argparse
import shutil
from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

from harness.analysis.differences import (
    RunOutcome,
    compare_outcomes,
    differing_environment,
    differing_items,
    verdict,
)
from harness.tracking.backend.uri import tracking_uri

if TYPE_CHECKING:
    from harness.tracking.read_run import Record

NARROW = 8  # characters: no column is narrower

Row = tuple[str, str, str]


def main(arguments: list[str]) -> int:
    """Print what differs, beside each other; 0."""
    from harness.tracking.read_run import read_run

    parser = argparse.ArgumentParser(prog="harness compare", description=__doc__)
    parser.add_argument("runs", nargs=2, metavar="RUN", help="an id, its beginning, a fingerprint")
    uri, asked = tracking_uri(None, Path.cwd()), parser.parse_args(arguments).runs
    a, b = (read_run(uri, each) for each in asked)
    for letter, record in (("a", a), ("b", b)):
        print(f"{letter}: {record.run_id} {record.name}")
    for line in table_lines(difference_rows(a, b), shutil.get_terminal_size().columns):
        print(line)
    found = compare_outcomes(*(RunOutcome("", r.curves, r.metrics, r.weights) for r in (a, b)))
    for each in found:
        print(f"{each.what}: {each.told}")
    print(f"verdict: {verdict(found)}")
    return 0


def difference_rows(a: "Record", b: "Record") -> Iterator[Row]:
    """What differs, a line of a table each: settings, code, data, machine; then all finals."""
    config = differing_items(a.params, b.params, everything=True)
    around = differing_environment(a.surroundings, b.surroundings)
    for title, pairs in (
        ("config", config),
        ("surroundings", around),
        ("finals", final_rows(a, b)),
    ):
        if pairs:
            yield title, "a", "b"
            yield from ((key, *pair) for key, pair in pairs.items())


def final_rows(a: "Record", b: "Record") -> dict[str, tuple[str, str]]:
    """How each ended, and what is recorded of it once."""
    keys = sorted({*a.metrics, *b.metrics} - {*a.curves, *b.curves})
    ends = tuple(record.outcome or record.status.lower() for record in (a, b))
    pairs = {key: format_pair(a.metrics, b.metrics, key) for key in keys}
    return {"outcome": (ends[0], ends[1]), **pairs}


def format_pair(a: Mapping[str, float], b: Mapping[str, float], key: str) -> tuple[str, str]:
    """A number of each run in six digits, or in all if they only then differ."""
    if key in a and key in b and a[key] != b[key] and f"{a[key]:.6g}" == f"{b[key]:.6g}":
        return repr(a[key]), repr(b[key])
    mine, theirs = (f"{each[key]:.6g}" if key in each else "-" for each in (a, b))
    return mine, theirs


def table_lines(found: Iterable[Row], width: int) -> Iterator[str]:
    """Lines of three columns, no wider than a terminal; what is longer goes on below."""
    cells = [*found]
    if not cells:
        return
    widths = [max(len(row[column]) for row in cells) for column in range(3)]
    while sum(widths) + 4 > width and max(widths) > NARROW:
        at = 1 + widths[1:].index(max(widths[1:])) if max(widths[1:]) > NARROW else 0
        widths[at] -= 1  # the names of settings last
    for row in cells:
        parts = [wrap(cell, size) or [""] for cell, size in zip(row, widths, strict=True)]
        if row[1:] == ("a", "b"):
            yield ""
        for line in zip_longest(*parts, fillvalue=""):
            padded = (part.ljust(size) for part, size in zip(line, widths, strict=True))
            yield "  ".join(padded).rstrip()
    yield ""
