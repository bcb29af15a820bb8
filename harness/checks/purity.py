"""Checks of purity: methods change no inputs, keep no state, use no global random numbers."""

import copy
import pickle
import random
from typing import Any

import numpy as np

from harness.checks.kit import PURITY, Call, Case, Kind, arrays_in, expect, expect_same, invoke


def check_plugin_leaves_its_inputs_alone(plugin: Any, kind: Kind) -> None:
    kind.outputs(plugin, Case(), _watching(locked=False))
    kind.outputs(plugin, Case(), _watching(locked=True))


def _watching(locked: bool) -> Call:
    """Return a caller that checks that a method leaves its arrays alone, if `locked` read-only."""

    def call(method: Call, *given: Any) -> Any:
        arrays = arrays_in(given)
        before = [array.copy() for array in arrays]
        for array in arrays:
            array.flags.writeable = array.flags.writeable and not locked
        try:
            result = method(*given)
        except ValueError as error:
            if "read-only" not in str(error):
                raise
            expect(False, "inputs left as they are", f"a write to one: {error}", PURITY)
        for array, kept in zip(arrays, before, strict=True):
            expect_same("an input, afterwards,", array, kept, PURITY)
        return result

    return call


def check_plugin_returns_new_arrays(plugin: Any, kind: Kind) -> None:
    def call(method: Call, *given: Any) -> Any:
        result = method(*given)
        shared = any(np.shares_memory(a, b) for a in arrays_in(result) for b in arrays_in(given))
        expect(not shared, "arrays of its own", "a view of an input, or the input itself", PURITY)
        return result

    first, second = (arrays_in(kind.outputs(plugin, Case(), call)) for _ in range(2))
    shared = any(np.shares_memory(a, b) for a, b in zip(first, second, strict=True))
    expect(not shared, "a new array for each call", "one that an earlier call returned", PURITY)


def check_plugin_uses_no_global_randomness(plugin: Any, kind: Kind) -> None:
    before = _global_states()
    kind.outputs(plugin, Case())
    same = before == _global_states()
    expect(same, "random numbers from what it is given", "np.random or random was used", PURITY)


def _global_states() -> tuple[bytes, object]:
    return pickle.dumps(np.random.get_state()), random.getstate()  # noqa: NPY002


def check_plugin_gives_the_same_bits_again(plugin: Any, kind: Kind) -> None:
    first, second = (kind.outputs(copy.copy(plugin), Case()) for _ in range(2))
    for name, value in first.items():
        expect_same(f"the same {name} again,", second[name], value, PURITY)


def check_plugin_keeps_no_state_in_itself(plugin: Any, kind: Kind) -> None:
    subject = kind.stacked(plugin, Case())
    fields = pickle.dumps(vars(subject))
    first = kind.use(subject, Case(), invoke)
    kind.use(subject, Case(seed=1), invoke)
    last = kind.use(subject, Case(), invoke)
    for name, value in first.items():
        expect_same(f"after other inputs the same {name},", last[name], value, PURITY)
    kept = pickle.dumps(vars(subject)) == fields
    expect(kept, "fields as they were", f"{vars(subject)}", PURITY)
