"""`harness check [KIND/NAME ...]`: whether plugins keep the contract, and if not, why."""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby

from harness.checks.running import Outcome, report
from harness.config.registry import plugin_names
from harness.contracts import KINDS
from harness.errors import require_known


def main(arguments: list[str]) -> int:
    """Check all plugins, all of a kind, or those named; 1 if something failed, else 0."""
    parser = argparse.ArgumentParser(prog="harness check", description=__doc__)
    known = f"one of {', '.join(KINDS)}"
    parser.add_argument("what", nargs="*", metavar="KIND[/NAME]", help=f"KIND is {known}")
    asked = parser.parse_args(arguments).what
    plugins = [plugin for what in asked or KINDS for plugin in _plugins(what)]
    in_detail = bool(asked) and all("/" in what for what in asked)
    tally: Counter[str] = Counter()
    outcomes = (outcome for kind, name in plugins for outcome in report(kind, name))
    show = _table if sys.stdout.isatty() else _lines
    show(_summed(outcomes, tally, in_detail))
    print("checks: " + ", ".join(f"{tally[r]} {r}" for r in ("passed", "failed", "skipped")))
    return 1 if tally["failed"] else 0


def _plugins(what: str) -> list[tuple[str, str]]:
    """(kind, name) of what `KIND` or `KIND/NAME` means; UsageError if there is none such."""
    kind, _, name = what.partition("/")
    require_known("kind", kind, KINDS)
    if not name:
        return [(kind, each) for each in plugin_names(kind)]
    require_known(kind, name, plugin_names(kind))
    return [(kind, name)]


def _summed(
    outcomes: Iterable[Outcome], tally: Counter[str], in_detail: bool
) -> Iterator[Outcome]:
    """Yield each outcome, or one for equal failures of a plugin, and one for all that passed.

    The tally counts them all.
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


def _lines(outcomes: Iterable[Outcome]) -> None:
    for plugin, check, result, detail in outcomes:
        apart = "\n    " if result == "failed" else ": "
        print(f"{plugin}: {check} {result}", *detail.splitlines(), sep=apart, flush=True)


def _table(outcomes: Iterable[Outcome]) -> None:
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
