"""`harness plugins [KIND [NAME]]`: list the plugins, their sources, fields and states."""

import argparse
import inspect
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from harness.config.registry import find_plugin, load_plugin, plugin_names, plugin_table
from harness.config.schema import GROUPS, plugin_schema, twin_of
from harness.contracts import KINDS
from harness.errors import PluginError, require_known
from harness.hydra_app.app import CONF, user_conf
from harness.store.params import format_value


def main(arguments: list[str]) -> int:
    """List the plugins of all kinds or of one kind, or show one plugin; return 0."""
    parser = argparse.ArgumentParser(prog="harness plugins", description=__doc__)
    parser.add_argument("kind", nargs="?", help=f"one of {', '.join(KINDS)}")
    parser.add_argument("name", nargs="?", help="show this plugin with its docstring")
    asked = parser.parse_args(arguments)
    if asked.kind is not None:
        require_known("kind", asked.kind, KINDS)
    if asked.name is not None:
        return _show_plugin(asked.kind, asked.name)
    rows = [
        _row(kind, name)
        for kind in KINDS
        if asked.kind in (None, kind)
        for name in plugin_names(kind)
    ]
    header = ("kind", "name", "distribution", "version", "state", "fields")
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header) - 1)]
    for row in [header, *rows]:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        print("  ".join([*cells, row[-1]]).rstrip())
    return 0


def _row(kind: str, name: str) -> tuple[str, ...]:
    where = plugin_table()[kind][name][0]
    try:
        find_plugin(kind, name)
        shown, state = describe_plugin(kind, name), "ok"
    except PluginError as error:
        shown, state = str(error).splitlines()[0], "broken"
    return kind, name, where.distribution, where.version, state, shown


def describe_plugin(kind: str, name: str) -> str:
    """Return a plugin's fields with their defaults on one line; PluginError if it is broken."""
    plugin = load_plugin(kind, name)
    if kind in GROUPS:
        plugin_schema(kind, name)
    else:
        twin_of(kind, name)
    return ", ".join(f.name + _default(f, "=") for f in fields(plugin) if f.init)


def _default(f: Field[Any], sign: str) -> str:
    """Return the default of a field for the line that lists it, or ` (required)`."""
    if f.default is not MISSING:
        return sign + format_value(f.default)
    if f.default_factory is not MISSING:
        return sign + format_value(f.default_factory())
    return " (required)"


def _show_plugin(kind: str, name: str) -> int:
    where, plugin = find_plugin(kind, name), load_plugin(kind, name)
    describe_plugin(kind, name)  # raises PluginError if its fields cannot be a config
    print(f"{kind}={name}: {where.value}")
    print(f"distribution: {where.distribution} {where.version}")
    print(f"source: {inspect.getsourcefile(plugin)}")
    hints = get_type_hints(plugin)
    for f in (f for f in fields(plugin) if f.init):
        print(f"field: {f.name}: {inspect.formatannotation(hints[f.name])}{_default(f, ' = ')}")
    print(f"presets: {', '.join(presets_of(kind, name)) or 'none'}")
    print(inspect.getdoc(plugin) or "(no docstring)")
    return 0


def presets_of(kind: str, name: str) -> list[str]:
    """Return the presets, built-in or in `./conf`, that choose a plugin or such a preset."""
    choices = {
        (path.parent.name, path.stem): _choices(path)
        for folder in filter(None, (CONF, user_conf()))
        for path in folder.glob("*/*.yaml")
    }
    wanted, found = {(kind, name)}, {(kind, name)}
    while found:
        found = {preset for preset, chosen in choices.items() if chosen & wanted} - wanted
        wanted |= found
    return sorted(f"{group}={option}" for group, option in wanted - {(kind, name)})


def _choices(preset: Path) -> set[tuple[str, str]]:
    """Return (kind or group, name) of each choice of a preset; none if it cannot be read."""
    try:
        config = yaml.safe_load(preset.read_text(encoding="utf-8")) or {}
        entries = config.get("defaults", ())
        found = {(preset.parent.name, e) for e in entries if isinstance(e, str)}
        pairs = [p for e in entries if isinstance(e, dict) for p in e.items()]
        pairs += config.get("hydra", {}).get("sweeper", {}).get("params", {}).items()
        figures = config.get("figures", {})
        lists = {"metric": config.get("metrics"), "figure": figures.get("names")}
        pairs += [(kind, each) for kind, names in lists.items() for each in names or ()]
    except (OSError, ValueError, TypeError, AttributeError, yaml.YAMLError):
        return set()
    for key, value in pairs:
        group = str(key).removeprefix("override ").removeprefix("/")
        found |= {(group, each.strip()) for each in str(value).split(",")}
    return found
