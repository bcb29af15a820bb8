"""What a built-in is compared with, and how a difference is counted."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from harness.contracts import Array

SMALL = 1e-2


class Case(NamedTuple):
    """A built-in: stacks of members with different fields, and who computes the same."""

    stacks: list[list[Any]]
    reference: str
    compute: Callable[..., Any]


def difference(ours: Array, theirs: Array) -> float:
    """The largest one, relative to the reference's value, or to SMALL where that is smaller."""
    theirs = np.asarray(theirs)
    assert ours.shape == theirs.shape
    return float(np.max(np.abs(ours - theirs) / np.maximum(np.abs(theirs), SMALL)))
