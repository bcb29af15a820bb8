"""`harness plugins [KIND [NAME]]`: every plugin, where it comes from, its fields, its state."""

import argparse
import inspect
from dataclasses import MISSING, Field, fields
from typing import Any

from harness.config import GROUPS, schema, twin
from harness.construct import allow_name
from harness.contracts import KINDS
from harness.errors import PluginError
from harness.recording import as_text
from harness.registry import load, names, origin, table


def main(arguments: list[str]) -> int:
    """List plugins of all kinds, of one kind, or show one plugin; 0."""
    parser = argparse.ArgumentParser(prog="harness plugins", description=__doc__)
    parser.add_argument("kind", nargs="?", help=f"one of {', '.join(KINDS)}")
    parser.add_argument("name", nargs="?", help="of one plugin, to see all about it")
    asked = parser.parse_args(arguments)
    if asked.kind is not None:
        allow_name("kind", asked.kind, KINDS)
    if asked.name is not None:
        return _show(asked.kind, asked.name)
    rows = [
        _row(kind, name) for kind in KINDS if asked.kind in (None, kind) for name in names(kind)
    ]
    header = ("kind", "name", "distribution", "version", "state", "fields")
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header) - 1)]
    for row in [header, *rows]:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        print("  ".join([*cells, row[-1]]).rstrip())
    return 0


def _row(kind: str, name: str) -> tuple[str, ...]:
    try:
        where = origin(kind, name)
        shown, state = describe(kind, name), "ok"
    except PluginError as error:
        shown, state = str(error).splitlines()[0], "broken"
        entry = table()[kind][name][0]
        dist = entry.dist
        return kind, name, dist.name if dist else "?", dist.version if dist else "?", state, shown
    return kind, name, where.distribution, where.version, state, shown


def describe(kind: str, name: str) -> str:
    """A plugin's fields with their defaults, on one line; PluginError if it is broken."""
    plugin = load(kind, name)
    if kind in GROUPS:
        schema(kind, name)
    else:
        twin(kind, name)
    return ", ".join(_field(f) for f in fields(plugin) if f.init)


def _field(f: Field[Any]) -> str:
    if f.default is not MISSING:
        return f"{f.name}={as_text(f.default)}"
    if f.default_factory is not MISSING:
        return f"{f.name}={as_text(f.default_factory())}"
    return f"{f.name} (required)"


def _show(kind: str, name: str) -> int:
    where, plugin = origin(kind, name), load(kind, name)
    print(f"{kind}={name}: {where.value} of {where.distribution} {where.version}")
    print(f"source: {inspect.getsourcefile(plugin)}")
    print(f"fields: {describe(kind, name) or 'none'}")
    print(inspect.getdoc(plugin) or "(no docstring)")
    return 0
