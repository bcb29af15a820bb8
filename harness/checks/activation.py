"""Checks of activations: they work elementwise, and `derivative` is their slope."""

from typing import Any

import numpy as np

from harness.checks.kit import (
    Call,
    Case,
    Kind,
    Skip,
    expect,
    expect_array,
    expect_like,
    expect_near,
    expect_no_warning,
    expect_same,
    expect_slope,
    varied,
)
from harness.contracts import Array
from harness.numerics import takes_out

HEADING = "Activations"


def use(activation: Any, case: Case, call: Call) -> dict[str, Array]:
    """Return h and h' for random z."""
    z = case.normal("z", 5, 4, scale=3)
    h = expect_array("__call__(z)", call(activation, z), z.shape, HEADING)
    slope = call(activation.derivative, z, h)
    return {"h": h, "derivative": expect_array("derivative(z, h)", slope, z.shape, HEADING)}


KIND = Kind("activation", use, HEADING, ndim=3)


def check_activation_takes_any_shape(activation: Any) -> None:
    """Check leading axes of any number, empty axes, and units before examples."""
    z = Case((0,)).normal("z", 2, 3, 4, 5, scale=3)[0]
    h = activation(z.ravel()).reshape(z.shape)
    slope = activation.derivative(z.ravel(), h.ravel()).reshape(z.shape)
    for view in (np.ravel, np.copy, np.matrix_transpose, lambda a: a[0], lambda a: a[:, :0]):
        seen = view(z)
        actual = activation(seen)
        for what, each, due in (
            ("h", actual, h),
            ("h'", activation.derivative(seen, actual), slope),
        ):
            expect_like(f"{what} of z {seen.shape}", each, seen.shape, z.dtype, HEADING)
            expect_near(f"{what} of z {seen.shape}", each, view(due), HEADING, 1e-12)


def check_activation_derivative_is_its_slope(activation: Any) -> None:
    """Other values of its float fields too: a factor that is 1 by default is easily forgotten."""
    z = np.linspace(-8, 8, 257) + 0.0123  # kinks lie at round numbers, and have no slope
    for each in dict.fromkeys(varied(activation)):
        slope = each.derivative(z, each(z))
        what = "derivative(z, h)" if each == activation else f"derivative(z, h) of {each!r}"

        def along(nudge: float, each: Any = each) -> Array:
            return np.asarray(each(z + nudge))

        expect_slope(what, slope, along, HEADING, lambda at: f"z = {z[at]:.6g}")


def check_activation_is_finite_far_out(activation: Any) -> None:
    for z, h, slope in _far_out(activation):
        for what, values in (("h", h), ("derivative", slope)):
            bad = z[~np.isfinite(values)]
            actual = f"{values[~np.isfinite(values)]} at z = {bad}, {z.dtype}"
            expect(not bad.size, f"a finite {what} for z from -1000 to 1000", actual, HEADING)


def check_activation_warns_of_nothing(activation: Any) -> None:
    with expect_no_warning("z from -1000 to 1000", HEADING):
        [*_far_out(activation)]


def _far_out(activation: Any) -> Any:
    for dtype in (np.float32, np.float64):
        z = np.array([-1e3, -200, -50, -1, 0, 1, 50, 200, 1e3], dtype)
        h = activation(z)
        yield z, h, activation.derivative(z, h)


def check_activation_writes_where_out_says(activation: Any) -> None:
    if not takes_out(type(activation).__call__):
        raise Skip("it offers no `out`")
    z = Case().normal("z", 7, 33, scale=3)
    out = np.full((4, 8, 33), 9.0)
    h = activation(z, out=out[:, :-1])
    expect_same("what is returned", h, activation(z), HEADING)
    expect_same("what is written to `out`", out[:, :-1].copy(), activation(z), HEADING)
    expect((out[:, -1] == 9).all(), "nothing written beside `out`", out[:, -1], HEADING)
