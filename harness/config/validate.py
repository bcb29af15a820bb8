"""Turn plain values, as they come from YAML, into typed dataclasses, or say what is expected."""

import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any

from harness.errors import UsageError, require, require_known
from harness.store.params import format_value

RANGE = "harness.range"  # in a field's metadata: (text, function of the value)
_hints = cache(typing.get_type_hints)


def build_dataclass(cls: type, values: Mapping[str, Any], where: str) -> Any:
    """Return an instance of a dataclass made from plain values.

    Raises UsageError for a field that is unknown, missing, of another type, or out of the range
    that its metadata gives. `where` is the dotted place of the values in the config.
    """
    hints = _hints(cls)
    known = {f.name: f for f in fields(cls) if f.init}
    for name in values:
        require_known(where or "config", str(name), known)
    missing = [name for name in required_fields(cls) if name not in values]
    require(not missing, f"{where or 'config'}: {', '.join(missing)} must be given")
    dotted = f"{where}." if where else ""
    converted = {k: convert(hints[k], v, f"{dotted}{k}") for k, v in values.items()}
    for name, value in converted.items():
        if (limits := known[name].metadata.get(RANGE)) is not None:
            text, allows = limits
            require(allows(value), f"{dotted}{name}={value}: {text}")
    return cls(**converted)


def required_fields(cls: type) -> list[str]:
    """Return the names of the fields that have no default."""
    return [
        f.name
        for f in fields(cls)
        if f.init and f.default is MISSING and f.default_factory is MISSING
    ]


def convert(hint: Any, value: Any, where: str) -> Any:
    """Return a plain value as its annotated type, lists as tuples.

    Hydra checks most types when it composes; this also checks what Hydra lets through. Raises
    UsageError, which says what is expected at `where`.
    """
    kind, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return tuple(convert(Any, v, where) for v in value) if type(value) is list else value
    if kind in (types.UnionType, typing.Union):
        return _any_of(inner, value, where)
    if is_dataclass(hint) and isinstance(hint, type):
        _expect(isinstance(value, Mapping), where, value, "a mapping")
        return build_dataclass(hint, value, where)
    if kind is typing.Literal:
        _expect(value in inner, where, value, f"one of {', '.join(map(format_value, inner))}")
        return value
    if isinstance(hint, type) and issubclass(hint, Enum):
        known = [*hint.__members__]
        _expect(value in known, where, value, f"one of {', '.join(known)}")
        return hint[value]
    if kind in (list, tuple, Sequence) or hint in (list, tuple):
        return _sequence(kind, inner, value, where)
    if dict in (kind, hint):
        _expect(isinstance(value, Mapping), where, value, "a mapping")
        return dict(value)
    return _scalar(hint, value, where)


def _expect(good: bool, where: str, value: Any, what: str) -> None:
    require(good, f"{where}={format_value(value)}: {what} is expected")


def _scalar(hint: Any, value: Any, where: str) -> Any:
    if isinstance(value, str) and hint in (bool, int, float):
        value = _read(hint, value)  # as it comes from an environment variable
    if hint is float and type(value) is int:
        value = float(value)
    if hint is float and type(value) is float:
        _expect(not math.isnan(value), where, value, "a number")
    name = "null" if hint is types.NoneType else getattr(hint, "__name__", str(hint))
    _expect(isinstance(hint, type) and type(value) is hint, where, value, name)
    return value


def _read(hint: type, text: str) -> Any:
    try:
        return {"true": True, "false": False}[text.lower()] if hint is bool else hint(text)
    except (KeyError, ValueError):
        return text


def _any_of(hints: Sequence[Any], value: Any, where: str) -> Any:
    """Convert to the first type that accepts the value; the value's own type is tried first."""
    errors = []
    for hint in sorted(hints, key=lambda hint: hint is not type(value)):
        try:
            return convert(hint, value, where)
        except UsageError as error:
            errors += [error] if hint is not types.NoneType else []
    raise errors[0]


def _sequence(kind: Any, inner: Sequence[Any], value: Any, where: str) -> tuple[Any, ...]:
    _expect(isinstance(value, list | tuple), where, value, "a list, as in [1, 2],")
    if kind is tuple and Ellipsis not in inner:
        _expect(len(value) == len(inner), where, value, f"a list of {len(inner)}")
        hints = inner
    else:
        hints = [inner[0] if inner else Any] * len(value)
    pairs = zip(hints, value, strict=True)
    return tuple(convert(hint, item, f"{where}[{i}]") for i, (hint, item) in enumerate(pairs))
