"""Tools that all checks share: inputs for plugins, comparisons, and the text of a failure."""

import contextlib
import dataclasses
import re
import unittest
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from harness.contracts import Array, Uniform
from harness.training.stack import columns, float_fields

FIELDS, PURITY, ROWS = "Fields", "Purity", "The runs axis"  # headings of docs/plugins.md
STEPS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)  # of central differences
Call = Callable[..., Any]


class Failure(AssertionError):
    """A plugin breaks the contract; the message has the expected and the actual answer."""


class Skip(unittest.SkipTest):
    """A check does not apply to a plugin; pytest and unittest skip the test."""


def expect(good: Any, expected: str, actual: Any, heading: str) -> None:
    """Raise a Failure with this text, unless `good` is true."""
    if not good:
        text = plain_numbers(f"expected: {expected}\nactual: {actual}")
        raise Failure(f"{text}\ncontract: docs/plugins.md, {heading!r}")


def plain_numbers(text: str) -> str:
    """Return the text with NumPy's scalars as plain numbers: 0.5, not np.float64(0.5)."""
    return re.sub(r"\bnp\.(?:\w+\(([^()]*)\)|(True|False)_)", r"\1\2", text)


def expect_array(what: str, actual: Any, shape: tuple[int, ...], heading: str) -> Array:
    """Return a method's answer; raise a Failure unless it is an array of this shape."""
    given = f"an array {actual.shape}" if isinstance(actual, np.ndarray) else _brief(actual)
    expect(given == f"an array {shape}", f"{what} returns an array {shape}", given, heading)
    return np.asarray(actual)


def expect_pair(what: str, actual: Any, heading: str) -> tuple[Any, Any]:
    """Return the two parts of a method's answer; raise a Failure unless it is a tuple of two."""
    good = isinstance(actual, tuple) and len(actual) == 2
    given = f"a tuple of {len(actual)}" if isinstance(actual, tuple) else _brief(actual)
    expect(good, f"{what}, a tuple of two", given, heading)
    return actual[0], actual[1]


def expect_arrays(what: str, actual: Any, heading: str) -> list[Array]:
    """Return a method's answer; raise a Failure unless it is a list of arrays."""
    good = isinstance(actual, list | tuple) and all(
        isinstance(each, np.ndarray) for each in actual
    )
    expect(good, f"{what} returns a list of arrays", _brief(actual), heading)
    return [*actual]


def _brief(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array {value.shape}"
    return "None" if value is None else f"{type(value).__name__} {value!r:.60}"


def expect_like(what: str, actual: Any, shape: tuple[int, ...], dtype: Any, heading: str) -> None:
    """Raise a Failure unless `actual` is an array of this shape and dtype."""
    due = f"{np.dtype(dtype)} {shape}"
    is_array = isinstance(actual, np.ndarray)
    given = f"{actual.dtype} {actual.shape}" if is_array else _brief(actual)
    expect(given == due, f"{what} is an array, {due}", given, heading)


def expect_near(
    what: str,
    actual: Any,
    due: Any,
    heading: str,
    tolerance: float = 1e-6,
    place: Call | None = None,
) -> None:
    """Failure that shows where two arrays differ most, if by more than the tolerance.

    `place` says in words where an index is; without it the index itself is shown.
    """
    actual, due = np.broadcast_arrays(actual, due)
    with np.errstate(all="ignore"):
        excess = np.abs(actual - due) - tolerance * (1 + np.abs(due))
    excess = np.where(np.isnan(excess), np.inf, excess)
    if excess.size and excess.max() > 0:
        at = np.unravel_index(excess.argmax(), excess.shape)
        where = _place(at) if place is None else f" at {place(at)}"
        expect(False, f"{what}{where} = {due[at]:.9g}", f"{actual[at]:.9g}", heading)


def expect_same(what: str, actual: Array, due: Array, heading: str) -> None:
    """Raise a Failure where two arrays differ first, if by a single bit."""
    expect_like(what, actual, due.shape, due.dtype, heading)
    differ = (_bits(actual) != _bits(due)).any(axis=-1)
    if differ.any():
        at = np.unravel_index(differ.argmax(), differ.shape)
        expect(False, f"{what}{_place(at)} = {due[at]!r}", repr(actual[at]), heading)


def expect_slope(
    what: str, slope: Array, along: Call, heading: str, place: Call | None = None
) -> None:
    """Raise a Failure unless `slope` is the central difference of along(nudge) at nudge = 0.

    Of several step sizes the best one counts, because a kink may lie near a point.
    """
    numeric = np.stack([(along(step) - along(-step)) / (2 * step) for step in STEPS])
    best = np.abs(numeric - slope).argmin(axis=0)
    due = np.take_along_axis(numeric, best[None], axis=0)[0]
    expect_near(f"{what} by central differences", slope, due, heading, place=place)


@contextlib.contextmanager
def expect_no_warning(what: str, heading: str) -> Iterator[None]:
    """Context manager: raise a Failure for any warning, also where NumPy's settings hide it."""
    with np.errstate(all="raise", under="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            yield
        except (FloatingPointError, Warning) as error:
            expect(False, f"no warning for {what}", error, heading)


def expect_class_variable(plugin: Any, name: str, allowed: Sequence[Any], heading: str) -> None:
    """Raise a Failure unless the class has a ClassVar of this name with an allowed value."""
    known = ", ".join(map(repr, allowed))
    value = getattr(type(plugin), name, "nothing")
    expect(value in allowed, f"`{name}` is one of {known}", repr(value), heading)
    is_field = any(f.name == name for f in dataclasses.fields(plugin))
    expect(not is_field, f"`{name}` is a ClassVar", "a field of the dataclass", heading)


def _place(at: tuple[Any, ...]) -> str:
    return f"[{', '.join(map(str, at))}]" if at else ""


def _bits(values: Array) -> Array:
    flat = np.ascontiguousarray(values).reshape(*values.shape, 1)
    return flat.view(np.uint8)


class Case(NamedTuple):
    """The inputs of a plugin: the same numbers for a run, whatever other runs are in the stack."""

    members: tuple[int, ...] = (0, 1, 2, 3)
    dtype: Any = np.float64
    seed: int = 0

    def rng(self, what: str, member: int = 0) -> np.random.Generator:
        """Return the generator for one purpose of one run; it is always the same."""
        return np.random.default_rng([self.seed, member, zlib.crc32(what.encode())])

    def normal(self, what: str, *shape: int, scale: float = 1.0) -> Array:
        """Return (R, *shape) numbers from N(0, scale²)."""
        rows = [self.rng(what, member).normal(0, scale, shape) for member in self.members]
        return np.stack(rows).astype(self.dtype)

    def uniform(self) -> Uniform:
        """Return dropout's random numbers; each row is from its run's own generator."""
        rngs = [self.rng("dropout", member) for member in self.members]
        return lambda *shape: np.stack([rng.random(shape, self.dtype) for rng in rngs])


def invoke(method: Call, *given: Any) -> Any:
    """Call a plugin's method; checks pass other functions here to watch its arguments."""
    return method(*given)


class Kind(NamedTuple):
    """A kind of plugin, for the checks that all kinds share."""

    name: str
    use: Callable[[Any, Case, Call], dict[str, Array]]  # every method called through `call`
    heading: str  # of docs/plugins.md
    ndim: int = 0  # axes of the columns that float fields become; 0: they stay numbers

    def outputs(self, plugin: Any, case: Case, call: Call = invoke) -> dict[str, Array]:
        """Return what a plugin's methods return for a case, with varied fields for its runs."""
        return self.use(self.stacked(plugin, case), case, call)

    def stacked(self, plugin: Any, case: Case) -> Any:
        """Return the plugin with its float fields as columns, as the training loop uses it."""
        if not self.ndim:
            return plugin
        plugins = varied(plugin)
        return columns([plugins[member] for member in case.members], self.ndim, case.dtype)


def varied(plugin: Any) -> list[Any]:
    """Return four runs' plugins: this one, and three with other values of its float fields."""
    values = {f: _accepted(plugin, f) for f in float_fields(plugin.__class__)}
    members = [plugin]
    for r in range(1, 4):
        turn = [(f, few[(r + i) % len(few)]) for i, (f, few) in enumerate(values.items())]
        one_only = [turn[r % len(turn)]] if turn else []
        candidates = (changed(plugin, **dict(turn)), changed(plugin, **dict(one_only)), plugin)
        members.append(next(each for each in candidates if each is not None))
    return members


def _accepted(plugin: Any, name: str) -> list[float]:
    """Return the value of a field, and values near it that the plugin accepts."""
    own = getattr(plugin, name)
    near = (own, own / 2, 0.9 * own, 1.5 * own, (own + 0.5) / 2, 0.25)
    return [v for v in dict.fromkeys(near) if v == own or changed(plugin, **{name: v})]


def changed(plugin: Any, **fields: Any) -> Any:
    """Return the plugin with other values of some fields; None if it refuses them."""
    try:
        return dataclasses.replace(plugin, **fields)
    except (TypeError, ValueError):
        return None


def arrays_in(value: Any) -> list[Array]:
    """Return all arrays in nested lists, tuples, mappings and dataclasses."""
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, Mapping):
        value = [*value.values()]
    elif dataclasses.is_dataclass(value):
        value = [*vars(value).values()]
    if not isinstance(value, list | tuple):
        return []
    return [array for item in value for array in arrays_in(item)]
