"""What all checks share: what plugins are given, how answers are compared, how a failure reads."""

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
    """A plugin breaks the contract: what is expected, what came, and where that is written."""


class Skip(unittest.SkipTest):  # which pytest and unittest take for a skip
    """There is nothing here for a check to look at, and why."""


def expect(good: Any, expected: str, came: Any, heading: str) -> None:
    """Failure with these words, unless it is so."""
    if not good:
        text = plain_numbers(f"expected: {expected}\ncame: {came}")
        raise Failure(f"{text}\ncontract: docs/plugins.md, {heading!r}")


def plain_numbers(text: str) -> str:
    """Return the text with NumPy's scalars as plain numbers: 0.5, not np.float64(0.5)."""
    return re.sub(r"\bnp\.(?:\w+\(([^()]*)\)|(True|False)_)", r"\1\2", text)


def expect_array(what: str, came: Any, shape: tuple[int, ...], heading: str) -> Array:
    """Return what a method gave; Failure unless it is an array of this shape, of any dtype."""
    given = f"an array {came.shape}" if isinstance(came, np.ndarray) else _brief(came)
    expect(given == f"an array {shape}", f"{what} returns an array {shape}", given, heading)
    return np.asarray(came)


def expect_pair(what: str, came: Any, heading: str) -> tuple[Any, Any]:
    """Return the two things that a method gave; Failure unless it is a tuple of two."""
    good = isinstance(came, tuple) and len(came) == 2
    given = f"a tuple of {len(came)}" if isinstance(came, tuple) else _brief(came)
    expect(good, f"{what}, a tuple of two", given, heading)
    return came[0], came[1]


def expect_arrays(what: str, came: Any, heading: str) -> list[Array]:
    """Return what a method gave; Failure unless it is a list of arrays."""
    good = isinstance(came, list | tuple) and all(isinstance(each, np.ndarray) for each in came)
    expect(good, f"{what} returns a list of arrays", _brief(came), heading)
    return [*came]


def _brief(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array {value.shape}"
    return "None" if value is None else f"{type(value).__name__} {value!r:.60}"


def expect_like(what: str, came: Any, shape: tuple[int, ...], dtype: Any, heading: str) -> None:
    """Failure unless it is an array of this shape and dtype."""
    due = f"{np.dtype(dtype)} {shape}"
    is_array = isinstance(came, np.ndarray)
    given = f"{came.dtype} {came.shape}" if is_array else _brief(came)
    expect(given == due, f"{what} is an array, {due}", given, heading)


def expect_near(
    what: str,
    came: Any,
    due: Any,
    heading: str,
    tolerance: float = 1e-6,
    place: Call | None = None,
) -> None:
    """Failure that shows where two arrays differ most, if by more than the tolerance.

    `place` says in words where an index is; without it the index itself is shown.
    """
    came, due = np.broadcast_arrays(came, due)
    with np.errstate(all="ignore"):
        excess = np.abs(came - due) - tolerance * (1 + np.abs(due))
    excess = np.where(np.isnan(excess), np.inf, excess)
    if excess.size and excess.max() > 0:
        at = np.unravel_index(excess.argmax(), excess.shape)
        where = _place(at) if place is None else f" at {place(at)}"
        expect(False, f"{what}{where} = {due[at]:.9g}", f"{came[at]:.9g}", heading)


def expect_same(what: str, came: Array, due: Array, heading: str) -> None:
    """Failure that shows where two arrays differ first, if in a single bit."""
    expect_like(what, came, due.shape, due.dtype, heading)
    differ = (_bits(came) != _bits(due)).any(axis=-1)
    if differ.any():
        at = np.unravel_index(differ.argmax(), differ.shape)
        expect(False, f"{what}{_place(at)} = {due[at]!r}", repr(came[at]), heading)


def expect_slope(
    what: str, slope: Array, along: Call, heading: str, place: Call | None = None
) -> None:
    """Failure unless the slope is that of along(nudge) at nudge = 0, by central differences.

    Of several steps the one that agrees best counts, for a kink may lie near a point.
    """
    numeric = np.stack([(along(step) - along(-step)) / (2 * step) for step in STEPS])
    best = np.abs(numeric - slope).argmin(axis=0)
    due = np.take_along_axis(numeric, best[None], axis=0)[0]
    expect_near(f"{what} by central differences", slope, due, heading, place=place)


@contextlib.contextmanager
def expect_no_warning(what: str, heading: str) -> Iterator[None]:
    """Failure if anything here warns, or would but for NumPy's settings."""
    with np.errstate(all="raise", under="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            yield
        except (FloatingPointError, Warning) as error:
            expect(False, f"no warning for {what}", error, heading)


def expect_class_variable(plugin: Any, name: str, allowed: Sequence[Any], heading: str) -> None:
    """Failure unless the class says one of these, and not by a field."""
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
    """What a plugin is given: for each run the same numbers in any company."""

    members: tuple[int, ...] = (0, 1, 2, 3)
    dtype: Any = np.float64
    seed: int = 0

    def rng(self, what: str, member: int = 0) -> np.random.Generator:
        """A generator for one purpose of one run, always the same."""
        return np.random.default_rng([self.seed, member, zlib.crc32(what.encode())])

    def normal(self, what: str, *shape: int, scale: float = 1.0) -> Array:
        """(R, *shape) numbers ~ N(0, scale²)."""
        rows = [self.rng(what, member).normal(0, scale, shape) for member in self.members]
        return np.stack(rows).astype(self.dtype)

    def uniform(self) -> Uniform:
        """Dropout's numbers, each row from its run's own generator."""
        rngs = [self.rng("dropout", member) for member in self.members]
        return lambda *shape: np.stack([rng.random(shape, self.dtype) for rng in rngs])


def plainly(method: Call, *given: Any) -> Any:
    """The way a plugin's method is called when nobody watches."""
    return method(*given)


class Kind(NamedTuple):
    """A kind of plugin, as the checks that all kinds share see it."""

    name: str
    use: Callable[[Any, Case, Call], dict[str, Array]]  # every method called through `call`
    heading: str  # of docs/plugins.md
    ndim: int = 0  # axes of the columns that float fields become; 0: they stay numbers

    def used(self, plugin: Any, case: Case, call: Call = plainly) -> dict[str, Array]:
        """What a plugin's methods return for the runs of a case, in which it varies."""
        return self.use(self.of(plugin, case), case, call)

    def of(self, plugin: Any, case: Case) -> Any:
        """The plugin as the harness uses it: its float fields as columns, if it has them."""
        if not self.ndim:
            return plugin
        like = varied(plugin)
        return columns([like[member] for member in case.members], self.ndim, case.dtype)


def varied(plugin: Any) -> list[Any]:
    """Four runs' plugins: this one, and like it with other values of its float fields."""
    values = {f: _accepted(plugin, f) for f in float_fields(plugin.__class__)}
    members = [plugin]
    for r in range(1, 4):
        turn = [(f, few[(r + i) % len(few)]) for i, (f, few) in enumerate(values.items())]
        one_only = [turn[r % len(turn)]] if turn else []
        likely = (changed(plugin, **dict(turn)), changed(plugin, **dict(one_only)), plugin)
        members.append(next(each for each in likely if each is not None))
    return members


def _accepted(plugin: Any, name: str) -> list[float]:
    own = getattr(plugin, name)
    near = (own, own / 2, 0.9 * own, 1.5 * own, (own + 0.5) / 2, 0.25)
    return [v for v in dict.fromkeys(near) if v == own or changed(plugin, **{name: v})]


def changed(plugin: Any, **fields: Any) -> Any:
    """The plugin with other values of some fields; None if it refuses them."""
    try:
        return dataclasses.replace(plugin, **fields)
    except (TypeError, ValueError):
        return None


def arrays_in(value: Any) -> list[Array]:
    """All arrays in lists, tuples, mappings and dataclasses, however they nest."""
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, Mapping):
        value = [*value.values()]
    elif dataclasses.is_dataclass(value):
        value = [*vars(value).values()]
    if not isinstance(value, list | tuple):
        return []
    return [array for item in value for array in arrays_in(item)]
