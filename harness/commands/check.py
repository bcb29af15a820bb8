"""`harness check [KIND/NAME ...]`: check that plugins keep the contract, and say why not."""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby

from harness.checks.running import Outcome, run_checks
from harness.config.registry import plugin_names
from harness.contracts import KINDS
from harness.errors import require_known


def main(arguments: list[str]) -> int:
    """Check all plugins, the plugins of a kind, or named ones; return 1 if any check failed."""
    parser = argparse.ArgumentParser(prog="harness check", description=__doc__)
    known = f"one of {', '.join(KINDS)}"
    parser.add_argument("names", nargs="*", metavar="KIND[/NAME]", help=f"KIND is {known}")
    asked = parser.parse_args(arguments).names
    plugins = [plugin for name in asked or KINDS for plugin in _plugins(name)]
    in_detail = bool(asked) and all("/" in name for name in asked)
    tally: Counter[str] = Counter()
    outcomes = (outcome for kind, name in plugins for outcome in run_checks(kind, name))
    show = _print_table if sys.stdout.isatty() else _print_lines
    show(_summarise(outcomes, tally, in_detail))
    print("checks: " + ", ".join(f"{tally[r]} {r}" for r in ("passed", "failed", "skipped")))
    return 1 if tally["failed"] else 0


def _plugins(words: str) -> list[tuple[str, str]]:
    """Return the (kind, name) pairs that `KIND` or `KIND/NAME` means, or raise UsageError."""
    kind, _, name = words.partition("/")
    require_known("kind", kind, KINDS)
    if not name:
        return [(kind, each) for each in plugin_names(kind)]
    require_known(kind, name, plugin_names(kind))
    return [(kind, name)]


def _summarise(
    outcomes: Iterable[Outcome], tally: Counter[str], in_detail: bool
) -> Iterator[Outcome]:
    """Yield the outcomes, with equal failures of a plugin as one; count them all in `tally`.

    Passed checks of a plugin are one outcome, too, unless `in_detail`.
    """
    for _, group in groupby(outcomes, key=lambda outcome: outcome.plugin.partition(" ")[0]):
        failures: dict[str, list[Outcome]] = {}
        passed: Counter[str] = Counter()
        for outcome in group:
            tally[outcome.result] += 1
            if outcome.result == "failed":
                failures.setdefault(outcome.detail, []).append(outcome)
            elif outcome.result == "passed" and not in_detail:
                passed[outcome.plugin] += 1
            else:
                yield outcome
        for same in failures.values():
            names = ", ".join(dict.fromkeys(outcome.check for outcome in same))
            yield same[0]._replace(check=names)
        for plugin, count in passed.items():
            yield Outcome(plugin, f"{count} checks", "passed")


def _print_lines(outcomes: Iterable[Outcome]) -> None:
    for plugin, check, result, detail in outcomes:
        apart = "\n    " if result == "failed" else ": "
        print(f"{plugin}: {check} {result}", *detail.splitlines(), sep=apart, flush=True)


def _print_table(outcomes: Iterable[Outcome]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    colours = {"passed": "green", "failed": "red", "skipped": "yellow"}
    table, console = Table("plugin", "check", "result", "why"), Console()
    with console.status("checking") as status:
        for plugin, check, result, detail in outcomes:
            status.update(f"checking {plugin}")
            table.add_row(Text(plugin), check, Text(result, colours[result]), Text(detail))
    console.print(table)
