"""Checks of losses: one number a run, its gradient, and a minimum at the right prediction."""

from typing import Any

import numpy as np

from harness.checks.kit import (
    Call,
    Case,
    Kind,
    Skip,
    expect,
    expect_array,
    expect_class_variable,
    expect_like,
    expect_near,
    expect_no_warning,
    expect_same,
    expect_slope,
)
from harness.contracts import Array
from harness.training.loop import gives_both

HEADING, TASKS = "Losses", ("regression", "binary", "multiclass")


def scene(loss: Any, case: Case, n: int = 9) -> tuple[Array, Array]:
    """Return linear outputs (R, N, outputs), and y as a loss of this task gets it."""
    if loss.task == "regression":
        return case.normal("p", n, 2, scale=2), case.normal("y", n, 2)
    outputs = 1 if loss.task == "binary" else len(getattr(loss, "class_weights", None) or "abc")
    drawn = case.normal("y", n, max(outputs, 2)).argmax(axis=-1)[..., None]
    y = drawn if outputs == 1 else drawn == np.arange(outputs)
    return case.normal("p", n, outputs, scale=2), y.astype(case.dtype)


def use(loss: Any, case: Case, call: Call) -> dict[str, Array]:
    """Return the loss, also for a y that all runs share, its gradient and the probabilities."""
    prediction, y = scene(loss, case, 150)
    shared = np.broadcast_to(scene(loss, case._replace(members=(0,)), 150)[1][0], y.shape)
    runs = prediction.shape[:1]
    value, slope = call(loss, prediction, y), call(loss.gradient, prediction, y)
    made = {
        "loss": expect_array("__call__(prediction, y)", value, runs, HEADING),
        "gradient": expect_array("gradient(prediction, y)", slope, prediction.shape, HEADING),
        "loss of a y that all runs share": call(loss, prediction, shared),
    }
    if loss.task != "regression":
        shape = (*y.shape[:2], max(y.shape[2], 2))
        likely = call(loss.probabilities, prediction)
        made["probabilities"] = expect_array("probabilities(prediction)", likely, shape, HEADING)
    return made


KIND = Kind("loss", use, HEADING, ndim=3)


def check_loss_names_its_task(loss: Any) -> None:
    expect_class_variable(loss, "task", TASKS, HEADING)


def check_loss_is_one_number_a_run(loss: Any) -> None:
    many = KIND.stacked(loss, Case())
    prediction, y = scene(loss, Case())
    expect_like("the loss of 4 runs", many(prediction, y), (4,), float, HEADING)
    gradient = many.gradient(prediction, y)
    expect_like("the gradient", gradient, prediction.shape, float, HEADING)


def check_loss_is_a_mean_over_the_examples(loss: Any) -> None:
    """Check that repeating all examples does not change the loss."""
    prediction, y = scene(loss, Case((0,)))
    twice = loss(np.concatenate([prediction] * 2, axis=1), np.concatenate([y] * 2, axis=1))
    expect_near("with each example twice the loss", twice, loss(prediction, y), HEADING, 1e-12)


def check_loss_gradient_is_its_slope(loss: Any) -> None:
    many = KIND.stacked(loss, Case())
    for n in (1, 4):
        prediction, y = scene(loss, Case(), n)
        gradient = many.gradient(prediction, y)
        for at in np.ndindex(prediction.shape[1:]):
            nudge = np.zeros_like(prediction)
            nudge[(slice(None), *at)] = 1
            expect_slope(
                f"the gradient of {n} examples",
                gradient[(slice(None), *at)],
                lambda step, p=prediction, y=y, nudge=nudge: many(p + step * nudge, y),
                HEADING,
                lambda run, p=prediction, y=y, at=at: (
                    f"prediction = {p[(*run, *at)]:.6g}, y = {y[(*run, *at)]:.6g}"
                ),
            )


def check_loss_gradient_beside_it_is_the_same(loss: Any) -> None:
    if not gives_both(loss.__class__):
        raise Skip("it offers no `with_gradient`")
    prediction, y = scene(loss, Case((0,)))
    value, gradient = loss.with_gradient(prediction, y)
    expect_same("with_gradient's loss", value, loss(prediction, y), HEADING)
    expect_same("with_gradient's gradient", gradient, loss.gradient(prediction, y), HEADING)


def check_loss_is_least_where_the_prediction_is_right(loss: Any) -> None:
    _, y = scene(loss, Case((0,)))
    if loss.task == "regression":
        right, others = y, [y + off for off in (-10, -1, -0.1, 0.1, 1, 10)]
    else:  # small outputs: with smoothed labels the best outputs are not the largest
        towards = y - (1 - y)
        right, others = 0.1 * towards, [0 * towards, -0.1 * towards, -5 * towards]
    least, more = loss(right, y)[0], [loss(other, y)[0] for other in others]
    expected = "the loss of the right prediction below that of wrong ones"
    good = least <= min(more) and least < more[-1]
    expect(good, expected, f"{least:.6g}, and {min(more):.6g} to {max(more):.6g}", HEADING)


def check_loss_probabilities_sum_to_one(loss: Any) -> None:
    if loss.task == "regression":
        raise Skip("a regression has no probabilities")
    prediction, y = scene(loss, Case())
    said = loss.probabilities(prediction)
    expect_like("probabilities", said, (4, 9, max(y.shape[-1], 2)), float, HEADING)
    expect((said >= 0).all(), "probabilities of 0 or more", said.min(), HEADING)
    expect_near("the sum of probabilities", said.sum(axis=-1), 1.0, HEADING)
    likely = prediction[..., 0] > 0 if loss.task == "binary" else prediction.argmax(axis=-1)
    same = (said.argmax(axis=-1) == likely).mean()
    expect(same == 1, "the largest output most probable", f"so in {same:.0%} of cases", HEADING)


def check_loss_is_finite_far_out(loss: Any) -> None:
    for dtype in (np.float32, np.float64):
        prediction, y = scene(loss, Case((0,), dtype))
        far = np.where(prediction > 0, dtype(1e3), dtype(-1e3))
        with expect_no_warning("outputs of ±1000", HEADING):
            values = [loss(far, y), loss.gradient(far, y)]
        for value in values:
            expect(np.isfinite(value).all(), "finite for outputs of ±1000", value, HEADING)
