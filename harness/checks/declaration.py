"""Checks of a plugin's declaration: a frozen, documented dataclass whose fields are config."""

import inspect
import pickle
import types
import typing
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from harness.checks.kit import FIELDS, Kind, expect
from harness.config.registry import CLASS_ATTRIBUTES, required_methods

CLASS_VARIABLES = {"task", *CLASS_ATTRIBUTES.values()}  # checks of their kinds look at them
PLAIN = (float, int, str, bool, types.NoneType)


def check_plugin_is_a_frozen_dataclass(plugin: Any, kind: Kind) -> None:
    frozen = is_dataclass(plugin) and vars(type(plugin))["__dataclass_params__"].frozen
    actual = f"{type(plugin).__name__}, which is not"
    expect(frozen, "a class declared with @dataclass(frozen=True)", actual, FIELDS)


def check_plugin_has_the_methods_of_its_kind(plugin: Any, kind: Kind) -> None:
    for name in required_methods(kind.name, type(plugin)):
        exists = callable(getattr(plugin, name, None))
        expect(exists, f"a method `{name}`", "none of that name", kind.heading)


def check_plugin_annotates_its_fields(plugin: Any, kind: Kind) -> None:
    """Check that each field has an annotation: without one no config reaches it."""
    for cls in type(plugin).__mro__[:-1]:
        for name, value in vars(cls).items():
            constant = name.startswith("_") or name.isupper() or name in CLASS_VARIABLES
            method = callable(value) or hasattr(value, "__get__")
            known = any(name in inspect.get_annotations(each) for each in type(plugin).__mro__)
            shown = f"{name} = {value!r:.40}"
            what = f"an annotation, as in `{name}: {type(value).__name__} = {value!r:.40}`"
            good = constant or method or known
            expect(good, what, f"`{shown}`, which is no field", FIELDS)


def check_plugin_types_its_fields(plugin: Any, kind: Kind) -> None:
    hints = typing.get_type_hints(type(plugin))
    what = "typed float, int, str, bool, an Enum, a Literal, an Optional, or a list of these"
    for f in fields(plugin):
        expect(_is_config(hints[f.name]), f"`{f.name}` is {what}", hints[f.name], FIELDS)
        expect(f.name != "name", "a field of another name than `name`", "`name`", FIELDS)


def _is_config(hint: Any) -> bool:
    kind, inner = typing.get_origin(hint), typing.get_args(hint)
    if kind is typing.Literal:
        return True
    if kind in (types.UnionType, typing.Union, list, tuple):
        return all(_is_config(each) for each in inner if each is not Ellipsis)
    return hint in PLAIN or (isinstance(hint, type) and issubclass(hint, Enum))


def check_plugin_has_usable_defaults(plugin: Any, kind: Kind) -> None:
    from harness.config.validate import required_fields

    cls = type(plugin)
    made = cls(**{name: getattr(plugin, name) for name in required_fields(cls)})
    try:
        hash(made), hash(plugin)
    except TypeError as error:
        expect(False, "fields that can be hashed: a tuple, not a list", error, FIELDS)


def check_plugin_is_documented(plugin: Any, kind: Kind) -> None:
    text = inspect.getdoc(type(plugin)) or ""
    own = text and not text.startswith(f"{type(plugin).__name__}(")
    expect(own, "a docstring that says what it computes", text or "none", FIELDS)


def check_plugin_pickles(plugin: Any, kind: Kind) -> None:
    try:
        again = pickle.loads(pickle.dumps(plugin))
    except Exception as error:
        again = error
    expect(again == plugin, f"{plugin!r} out of pickle, as other processes get it", again, FIELDS)


def check_plugin_round_trips_through_config(plugin: Any, kind: Kind) -> None:
    from omegaconf import OmegaConf

    from harness.config.schema import mutable_twin
    from harness.config.validate import build_dataclass

    values = {f.name: getattr(plugin, f.name) for f in fields(plugin) if f.init}
    node = OmegaConf.merge(OmegaConf.structured(mutable_twin(type(plugin), "it")), values)
    plain = OmegaConf.to_container(node, enum_to_str=True)
    read: Any = OmegaConf.to_container(OmegaConf.create(OmegaConf.to_yaml(plain)))
    del read["name"]
    again = build_dataclass(type(plugin), read, kind.name)
    expect(again == plugin, f"{plugin!r} back from its config {read}", repr(again), FIELDS)
