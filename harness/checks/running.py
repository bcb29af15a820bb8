"""Run the checks: on installed plugins for the command line, on instances for pytest."""

import inspect
import traceback
import typing
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import fields
from enum import Enum
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from harness.checks import declaration, purity, rows
from harness.checks.kit import Case, Failure, Kind, Skip, changed, plain_numbers
from harness.config.registry import load_plugin
from harness.errors import PluginError

Check = Callable[[Any], None]
LIBRARIES = {Path(__file__).parent.parent, Path(np.__file__).parent}  # no plugin is in them
NO_ROWS = ("initializer", "dataset", "figure")


def checks_of(kind: str) -> dict[str, Check]:
    """Return every check of a kind by its name, as `leaves_its_inputs_alone`.

    Args:
        kind: One of `harness.contracts.KINDS`.

    Returns:
        The checks; each takes an instance of a plugin, and raises Failure or Skip.
    """
    own = import_module(f"harness.checks.{kind}")
    known: Kind = own.KIND
    shared = (declaration, purity) if kind in NO_ROWS else (declaration, purity, rows)
    found: dict[str, Check] = {}
    for module in shared:
        for name, check in _named(module, "check_plugin_"):
            found[name] = partial(check, kind=known)
    if kind == "figure":
        del found["returns_new_arrays"]  # figures return no arrays
    return found | dict(_named(own, f"check_{kind}_"))


def _named(module: Any, prefix: str) -> list[tuple[str, Callable[..., None]]]:
    """Return the module's functions with this prefix, by the rest of their names."""
    every = vars(module).items()
    return [(n.removeprefix(prefix), check) for n, check in every if n.startswith(prefix)]


def parametrize_checks(kind: str, *plugins: Any) -> Any:
    """Return a pytest decorator that runs a test for each check of each plugin.

    Args:
        kind: One of `harness.contracts.KINDS`.
        plugins: Instances; the ids of the tests name the fields that differ from defaults.

    Returns:
        A decorator for a test function with the argument `check`.

    Example:
        >>> from harness.checks import parametrize_checks
        >>> from harness_plugins.activations.gated import Swish
        >>> @parametrize_checks("activation", Swish(), Swish(beta=2.5))
        ... def test_contract(check):
        ...     check()
    """
    import pytest

    cases = [
        pytest.param(partial(call_quietly, check, plugin), id=f"{plugin_label(plugin)}-{name}")
        for plugin in plugins
        for name, check in checks_of(kind).items()
    ]
    return pytest.mark.parametrize("check", cases)


def plugin_label(plugin: Any) -> str:
    """Return `swish-beta=2.5`: the class and the fields that differ from their defaults."""
    own = [f for f in fields(plugin) if f.init and getattr(plugin, f.name) != f.default]
    settings = [f"{f.name}={_text(getattr(plugin, f.name))}" for f in own]
    return "-".join([type(plugin).__name__.lower(), *settings])


def _text(value: Any) -> str:
    return str(value.name if isinstance(value, Enum) else value).replace(" ", "")


def call_quietly(check: Callable[[Any], Any], plugin: Any) -> None:
    """Call a check without warnings: as in training, values out of range give inf or NaN."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(plugin)


def variants(plugin: Any) -> list[Any]:
    """Return a plugin, and a copy for each other value of a bool, Literal or Enum field.

    Args:
        plugin: An instance.

    Returns:
        The instances that the plugin's `__post_init__` accepts, the given one first.
    """
    hints = typing.get_type_hints(type(plugin))
    found = [plugin]
    for f in fields(plugin):
        for value in _choices(hints[f.name]) if f.init else ():
            other = changed(plugin, **{f.name: value})
            if other is not None and value != getattr(plugin, f.name):
                found.append(other)
    return found


def _choices(hint: Any) -> tuple[Any, ...]:
    """Return the values of a bool, Literal or Enum; none for other types."""
    if typing.get_origin(hint) is typing.Literal:
        return typing.get_args(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return tuple(hint)
    return (True, False) if hint is bool else ()


class Outcome(NamedTuple):
    """The outcome of one check of one plugin: "passed", "failed" or "skipped", and why."""

    plugin: str  # kind/name, and the settings of a variant
    check: str
    result: str
    detail: str = ""


def run_checks(kind: str, name: str) -> Iterator[Outcome]:
    """Run every check on an installed plugin and on its variants; yield the outcomes."""
    title = f"{kind}/{name}"
    try:
        plugins = instances(kind, name)
    except Skip as skip:
        yield Outcome(title, "all", "skipped", str(skip))
    except PluginError as error:
        where = "" if error.__cause__ is None else _raised_in(error.__cause__, None)
        yield Outcome(title, "can_be_imported", "failed", f"{error}{where}")
    except Exception as error:
        plugin = load_plugin(kind, name)
        yield Outcome(title, "has_usable_defaults", "failed", format_exception(error, plugin))
    else:
        for plugin in plugins:
            settings = plugin_label(plugin).partition("-")[2]
            shown = f"{title} {settings}" if settings else title
            for check_name, check in checks_of(kind).items():
                yield Outcome(shown, check_name, *outcome(check, plugin, kind))


def instances(kind: str, name: str) -> list[Any]:
    """Return an installed plugin with its defaults, and its variants; Skip if it needs fields."""
    from harness.config.validate import required_fields

    cls = load_plugin(kind, name)
    if needed := required_fields(cls):
        raise Skip(f"{', '.join(needed)} must be given: check an instance with parametrize_checks")
    return variants(cls())


def outcome(check: Check, plugin: Any, kind: str) -> tuple[str, str]:
    """Return how a check of a plugin ends ("passed", "failed" or "skipped"), and why.

    Where a method returns something else than the contract asks for, the check itself may raise:
    the reason is then what that method is expected to return.
    """
    try:
        call_quietly(check, plugin)
    except Skip as skip:
        return "skipped", str(skip)
    except Failure as failure:
        return "failed", str(failure)
    except (Exception, SystemExit) as error:
        known: Kind = import_module(f"harness.checks.{kind}").KIND
        with suppress(Exception, SystemExit):
            try:
                declaration.check_plugin_has_the_methods_of_its_kind(plugin, known)
                call_quietly(partial(known.outputs, case=Case()), plugin)
            except Failure as failure:
                return "failed", str(failure)
        return "failed", format_exception(error, type(plugin))
    return "passed", ""


def format_exception(error: BaseException, plugin: type) -> str:
    """Return what was raised, and the line of the plugin's own source that it comes from."""
    text = plain_numbers(f"{type(error).__name__}: {error}")
    return text + _raised_in(error, plugin)


def _raised_in(error: BaseException, plugin: type | None) -> str:
    """Return "raised in FILE, line N": the plugin's file, or one beside it, if it was there."""
    frames = traceback.extract_tb(error.__traceback__)
    folders = set()
    for cls in () if plugin is None else plugin.__mro__:
        with suppress(OSError, TypeError):  # of built-in classes there is no file
            folders.add(Path(inspect.getfile(cls)).parent)
    own = [f for f in frames if Path(f.filename).parent in folders]
    foreign = [
        f
        for f in frames
        if f.filename[0] != "<" and LIBRARIES.isdisjoint(Path(f.filename).parents)
    ]
    if found := own or foreign:
        return f"\nraised in {found[-1].filename}, line {found[-1].lineno}"
    return "" if plugin is None else f"\nraised by what {inspect.getfile(plugin)} returned"
