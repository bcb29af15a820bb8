"""Checks of optimizers: they go downhill, and keep all their memory in the state."""

from typing import Any

import numpy as np

from harness.checks.kit import (
    ROWS,
    Call,
    Case,
    Kind,
    arrays_in,
    changed,
    expect,
    expect_array,
    expect_like,
    expect_pair,
    expect_same,
    invoke,
    varied,
)
from harness.contracts import Array
from harness.training.leaves import by_leaf
from harness.training.stack import columns

HEADING = "Optimizers"
UPDATE = "update returns (change, state)"
RATES = (0.001, 0.01, 0.1, 0.3)


def slope(weights: Array, step: int) -> Array:
    """Return a gradient that depends on the weight and the step only."""
    return np.asarray(np.sin(weights * 3 + step) * weights)


def descend(
    optimizer: Any, weights: Array, state: Any, steps: range, call: Call
) -> tuple[Array, Any]:
    """Update the weights for some steps; return the new weights and state."""
    for step in steps:
        actual = call(optimizer.update, slope(weights, step), state, weights)
        change, state = expect_pair(UPDATE, actual, HEADING)
        weights = weights + change
    return weights, state


def use(optimizer: Any, case: Case, call: Call) -> dict[str, Array]:
    """Return the first change, and weights and state after 12 steps."""
    weights = case.normal("weights", 11)
    state = call(optimizer.init, weights)
    actual = call(optimizer.update, slope(weights, 0), state, weights)
    change = expect_array(
        "update's change", expect_pair(UPDATE, actual, HEADING)[0], weights.shape, HEADING
    )
    weights, state = descend(optimizer, weights, state, range(12), call)
    leaves = {f"state, array {i},": leaf for i, leaf in enumerate(arrays_in(state))}
    return {"change": change, "weights after 12 steps": weights, **leaves}


KIND = Kind("optimizer", use, HEADING, ndim=2)


def without_decay(optimizer: Any) -> Any:
    """Return the optimizer without weight decay, if it has any."""
    return changed(optimizer, weight_decay=0.0) or optimizer


def check_optimizer_converges_on_a_quadratic(optimizer: Any) -> None:
    """Check that ½ Σ a (w - 1)² falls to 1 % in 1500 steps, for one of several rates."""
    plain = without_decay(optimizer)
    tried = [plain, *(other for r in RATES if (other := changed(plain, learning_rate=r)))]
    many, curvature = columns(tried, 2, float), np.linspace(0.5, 2, 6)
    weights = Case((0,)).normal("weights", 6).repeat(len(tried), axis=0)
    state = many.init(weights)
    start = (curvature * (weights - 1) ** 2).sum(axis=1)
    for _ in range(1500):
        change, state = many.update(curvature * (weights - 1), state, weights)
        weights = weights + change
    ratio = float(np.nanmin((curvature * (weights - 1) ** 2).sum(axis=1) / start))
    expected = "½ Σ a (w - 1)² below 0.01 of where it began, after 1500 steps"
    expect(ratio < 0.01, expected, f"{ratio:.3g} of it", HEADING)


def check_optimizer_changes_have_the_weights_shape_and_dtype(optimizer: Any) -> None:
    for dtype in (np.float32, np.float64):
        many = KIND.stacked(optimizer, Case(dtype=dtype))
        for width in (1, 7):
            weights = Case(dtype=dtype).normal("weights", width)
            change, _ = many.update(slope(weights, 0), many.init(weights), weights)
            expect_like("the change", change, weights.shape, dtype, HEADING)


def check_optimizer_is_still_without_a_gradient(optimizer: Any) -> None:
    """Check that zero gradients change nothing, apart from weight decay."""
    many = columns([without_decay(each) for each in varied(optimizer)], 2, float)
    weights = Case().normal("weights", 11)
    state = many.init(weights)
    for _ in range(3):
        change, state = many.update(np.zeros_like(weights), state, weights)
        moved = np.abs(change).max()
        expect(moved == 0, "no change where the gradient is zero", f"up to {moved:.3g}", HEADING)


def check_optimizer_returns_its_state(optimizer: Any) -> None:
    many, weights = KIND.stacked(optimizer, Case()), Case().normal("weights", 11)
    first = many.init(weights)
    is_named = isinstance(first, tuple) and hasattr(first, "_fields")
    expect(is_named, "init returns a NamedTuple of arrays", type(first).__name__, HEADING)
    _, second = descend(many, weights, first, range(2), invoke)
    shapes = [[(leaf.shape, leaf.dtype) for leaf in arrays_in(s)] for s in (first, second)]
    same = type(first) is type(second) and shapes[0] == shapes[1]
    expect(same, f"a state like the first, {shapes[0]}", f"{type(second)} {shapes[1]}", HEADING)


def check_optimizer_state_has_a_row_for_each_run(optimizer: Any) -> None:
    many, weights = KIND.stacked(optimizer, Case()), Case().normal("weights", 11)
    state = many.init(weights)

    def look(leaf: Any) -> None:
        is_row = isinstance(leaf, np.ndarray) and leaf.ndim >= 1 and len(leaf) == 4
        actual = f"an array {leaf.shape}" if isinstance(leaf, np.ndarray) else repr(leaf)
        expect(
            is_row, "arrays whose first axis is the 4 runs, in the whole state", actual, HEADING
        )

    for now in (state, many.update(slope(weights, 0), state, weights)[1]):
        by_leaf(look, now)


def check_optimizer_begins_each_row_alone(optimizer: Any) -> None:
    weights = Case().normal("weights", 11)
    together = arrays_in(KIND.stacked(optimizer, Case()).init(weights))
    for run in Case().members:
        alone = KIND.stacked(optimizer, Case((run,))).init(weights[run : run + 1])
        for leaf, own in zip(together, arrays_in(alone), strict=True):
            expect_same(f"init for run {run}, as alone,", leaf[run : run + 1], own, HEADING)


def check_optimizer_lets_runs_leave_and_come(optimizer: Any) -> None:
    """Check that rows of the state, selected and reordered, train on with the same bits."""
    plugins, weights = varied(optimizer), Case().normal("weights", 11)
    many, few = columns(plugins, 2, float), columns([plugins[3], plugins[1]], 2, float)
    whole, _ = descend(many, weights, many.init(weights), range(9), invoke)
    half, state = descend(many, weights, many.init(weights), range(4), invoke)
    selected = by_leaf(lambda leaf: leaf[[3, 1]], state)
    rest, _ = descend(few, half[[3, 1]], selected, range(4, 9), invoke)
    expect_same("weights of runs whose company changed,", rest, whole[[3, 1]], ROWS)
