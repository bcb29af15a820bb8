"""Nested tuples of arrays whose first axis is the runs: take some runs, save one, restore it."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np

from harness.contracts import Array

T = TypeVar("T")
Saved = dict[str, Array]  # one run of such a tuple, by the dotted names of its leaves


def by_leaf(function: Callable[..., Any], *states: Any) -> Any:
    """Apply a function to each array of nested tuples, which keep their types."""
    if isinstance(states[0], tuple):
        parts = [by_leaf(function, *leaves) for leaves in zip(*states, strict=True)]
        return type(states[0])(*parts) if hasattr(states[0], "_fields") else tuple(parts)
    return function(*states)


def named_leaves(state: Any, name: str = "") -> Iterator[tuple[str, Array]]:
    """Yield the dotted name and the array of each leaf."""
    if not isinstance(state, tuple):
        yield name, state
        return
    for key, part in zip(getattr(state, "_fields", range(len(state))), state, strict=True):
        yield from named_leaves(part, f"{name}.{key}" if name else str(key))


def take_runs(state: T, keep: Array) -> T:
    """Return the state of some runs, chosen by a mask (A,) or by their places."""
    taken: T = by_leaf(lambda leaf: leaf[keep], state)
    return taken


def join_runs(*states: T) -> T:
    """Return the state of all runs of several states, one after another."""
    joined: T = by_leaf(lambda *parts: np.concatenate(parts), *states)
    return joined


def save_run(state: Any, at: int) -> Saved:
    """Return one run of a state; a random generator becomes the JSON text of where it stands."""
    return {name: _as_array(leaf[at]) for name, leaf in named_leaves(state)}


def _as_array(value: Any) -> Array:
    if isinstance(value, np.random.Generator):
        text = json.dumps(value.bit_generator.state)
        return np.frombuffer(text.encode(), np.uint8)
    return np.asarray(value)


def fits_run(saved: Saved, state: Any, at: int) -> bool:
    """Return whether a saved run has the arrays of this one, with their shapes and dtypes."""
    leaves = dict(named_leaves(state))
    return saved.keys() == leaves.keys() and all(
        leaf.dtype == object  # a generator
        or (saved[name].shape, saved[name].dtype) == (leaf[at].shape, leaf.dtype)
        for name, leaf in leaves.items()
    )


def restore_runs(state: T, known: Mapping[int, Saved]) -> T:
    """Return a copy of the state with the saved runs at their places; generators are set."""
    restored: T = by_leaf(np.array, state)
    for at, saved in known.items():
        for name, leaf in named_leaves(restored):
            if leaf.dtype == object:
                leaf[at].bit_generator.state = json.loads(saved[name].tobytes())
            else:
                leaf[at] = saved[name]
    return restored
