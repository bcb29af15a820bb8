"""Turn the fields of a plugin into typed config options, and a config node into a plugin."""

import types
import typing
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import MISSING, Field, field, fields, is_dataclass, make_dataclass
from enum import Enum
from functools import cache
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from harness.config.registry import (
    blame_plugin,
    find_plugin,
    load_plugin,
    plugin_names,
    plugin_table,
    require_methods,
)
from harness.config.settings import Settings
from harness.config.validate import build_dataclass
from harness.contracts import KINDS
from harness.errors import PluginError, UsageError, require, unknown_name

GROUPS = tuple(kind for kind in KINDS if kind not in ("metric", "figure"))


def build_plugin(kind: str, values: Mapping[str, Any]) -> Any:
    """Build the plugin that a config node describes by a registered name and its fields.

    Raises UsageError for a wrong field, PluginError if the plugin itself is broken.
    """
    given = dict(values)
    name = given.pop("name", "")
    require(name != "", f"{kind}: no plugin chosen; a preset needs `defaults: [<plugin>, _self_]`")
    plugin, where = load_plugin(kind, name), kind if kind in GROUPS else f"{kind} {name}"
    require_methods(kind, name)
    known = {f.name for f in fields(plugin) if f.init}
    for wrong in {*given} - known if kind in GROUPS else ():
        raise UsageError(unknown_field(kind, str(wrong), sorted(known)))
    with blame_plugin(find_plugin(kind, name), "failed in __post_init__"):
        try:
            return build_dataclass(plugin, given, where)
        except (TypeError, ValueError) as error:
            raise UsageError(f"{kind}={name}: {error}") from error


def unknown_field(kind: str, name: str, known: Collection[str]) -> str:
    """Return the message for a field that the chosen plugin of a kind lacks.

    It names the plugins of the kind that have the field, or else a field that may be meant.
    """
    having = field_owners(kind)
    owners = " or ".join(f"{kind}={owner}" for owner in having.get(name, ())[:3])
    others = (f"{kind}.{field}" for field in having if field not in known and not owners)
    return unknown_name(kind, name, known, others) + (f"; {owners} has it" if owners else "")


def field_owners(kind: str) -> dict[str, list[str]]:
    """Return all fields that plugins of a kind have, each with the names of these plugins."""
    owners: dict[str, list[str]] = {}
    for name in plugin_names(kind):
        with suppress(PluginError):  # a broken one has none
            for f in fields(load_plugin(kind, name)):
                owners.setdefault(f.name, []).append(name)
    return owners


def dotted_names() -> Iterator[str]:
    """Yield the dotted names of all settings, and of the fields of all plugins."""
    for name, hint in typing.get_type_hints(Settings).items():
        if is_dataclass(hint):
            yield from (f"{name}.{f.name}" for f in fields(hint))
    for kind in GROUPS:
        yield from (f"{kind}.{field}" for field in field_owners(kind))


def plugin_schema(kind: str, name: str) -> DictConfig:
    """Return a plugin as a typed config node: `name`, then its fields.

    A name that several distributions provide gives a node without fields: only building it is an
    error, so that a default of that name can still be overridden. Raises PluginError if the
    plugin is broken.
    """
    if len(plugin_table()[kind].get(name, ())) > 1:
        return OmegaConf.create({"name": name})
    return deepcopy(_schema(kind, name))


@cache
def _schema(kind: str, name: str) -> DictConfig:
    try:
        node = OmegaConf.structured(twin_of(kind, name))
    except (OmegaConfBaseException, TypeError, ValueError) as error:
        problem = str(error).partition("\n")[0]
        raise PluginError(
            f"{find_plugin(kind, name)} has a field Hydra cannot hold: {problem}"
        ) from error
    OmegaConf.set_readonly(node, None)  # a frozen dataclass makes a node read-only
    node._get_node("name")._set_flag("readonly", True)
    return typing.cast(DictConfig, node)


@cache
def twin_of(kind: str, name: str) -> type:
    """Return the dataclass that OmegaConf uses for a plugin: its `name`, then its fields."""
    plugin = load_plugin(kind, name)
    if any(f.name == "name" for f in fields(plugin)):
        raise PluginError(f"{find_plugin(kind, name)}: the field name `name` is reserved")
    try:
        made = mutable_twin(plugin, name)
    except Exception as error:
        raise PluginError(
            f"{find_plugin(kind, name)}: a field's type is unknown: {error}"
        ) from error
    made.__module__, made.__qualname__ = __name__, f"twin_{kind}_{name.encode().hex()}"
    return made


def mutable_twin(plugin: type, name: str) -> type:
    """Return a dataclass of a name and a plugin's fields, with types that OmegaConf supports."""
    hints = typing.get_type_hints(plugin)
    columns: list[Any] = [("name", str, field(default=name))]
    columns += [(f.name, _accepted(hints[f.name]), _default(f)) for f in fields(plugin) if f.init]
    return make_dataclass(plugin.__name__, columns)


def __getattr__(name: str) -> Any:
    """Return a plugin's twin by its name, as unpickling a composed config elsewhere needs it."""
    if name.startswith("twin_"):
        _, kind, coded = name.split("_")
        return twin_of(kind, bytes.fromhex(coded).decode())
    raise AttributeError(name)


def _default(f: Field[Any]) -> Any:
    if f.default_factory is not MISSING:
        return field(default_factory=f.default_factory)
    if isinstance(f.default, np.generic):  # as in `gain: float = np.sqrt(2)`
        return field(default=f.default.item())
    return field(default="???" if f.default is MISSING else f.default)


def _accepted(hint: Any) -> Any:
    """Return the type that OmegaConf checks; Any where it supports no such type, or is lax.

    `validate.convert` checks all of them: unions, Literals, and bool, for which OmegaConf accepts
    any int.
    """
    kind, inner = typing.get_origin(hint), typing.get_args(hint)
    items = {_accepted(each) for each in inner if each not in (types.NoneType, Ellipsis)}
    item: Any = items.pop() if len(items) == 1 else Any
    if kind in (types.UnionType, typing.Union):
        return Any if item is Any else typing.Optional[item]  # noqa: UP045
    if kind in (list, tuple):
        return list[item] if kind is list else tuple[item, ...]  # convert counts the items
    plain = hint in (int, float, str) or (isinstance(hint, type) and issubclass(hint, Enum))
    return hint if plain else Any
