import numpy as np
import pytest
from harness_plugins.activations.gated import Hardswish, Mish, Swish
from harness_plugins.activations.gelu import GELU
from harness_plugins.activations.piecewise import Hardtanh, Identity, LeakyReLU, ReLU
from harness_plugins.activations.smooth import ELU, SELU, Sigmoid, Softplus
from harness_plugins.activations.waves import Sine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from harness.stack import columns
from tests.references.activations import CASES

STACKS = [plugins for case in CASES.values() for plugins in case.stacks]
ALL = [plugin for plugins in STACKS for plugin in dict.fromkeys(plugins)]
ANY = arrays(
    float,
    array_shapes(max_dims=3, max_side=4),
    elements=st.floats(-20, 20).filter(lambda z: abs(z) not in (0, 1, 3)),  # off the kinks
)


@pytest.mark.parametrize("activation", ALL, ids=repr)
@settings(deadline=None, max_examples=25)
@given(z=ANY)
def test_the_derivative_is_the_complex_step(activation, z):
    slope = activation(z + 1e-30j).imag / 1e-30
    np.testing.assert_allclose(
        activation.derivative(z, activation(z)), slope, rtol=1e-12, atol=1e-14
    )


@pytest.mark.parametrize("activation", ALL, ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_leaves_its_input_alone_and_keeps_shape_and_dtype(activation, dtype):
    z = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(dtype)
    before = z.copy()
    z.flags.writeable = False
    h = activation(z)
    kept = h.copy()
    slope = activation.derivative(z, h)
    for out in (h, slope):
        assert out.dtype == dtype
        assert out.shape == z.shape
        assert not np.shares_memory(out, z)
    assert not np.shares_memory(slope, h)
    assert (z == before).all()
    assert (h == kept).all()


@pytest.mark.parametrize("activation", ALL, ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_stays_finite_far_out(activation, dtype):
    z = np.array([-1e6, -1e3, -100, 0, 100, 1e3, 1e6], dtype)
    h = activation(z)
    assert np.isfinite(h).all()
    assert np.isfinite(activation.derivative(z, h)).all()


@pytest.mark.parametrize("plugins", STACKS, ids=lambda plugins: repr(plugins[0]))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_stack_equals_its_members_alone(plugins, dtype):
    z = np.random.default_rng(0).normal(0, 5, (len(plugins), 33, 7)).astype(dtype)
    stacked = columns(plugins, 3, dtype)
    h = stacked(z)
    slope = stacked.derivative(z, h)
    assert h.dtype == slope.dtype == dtype
    for r, plugin in enumerate(plugins):
        alone = columns([plugin], 3, dtype)
        h_alone = alone(z[r : r + 1])
        assert (h_alone == h[r : r + 1]).all()
        assert (alone.derivative(z[r : r + 1], h_alone) == slope[r : r + 1]).all()


def test_known_values():
    z = np.array([-2.0, 0.0, 3.0])
    assert Identity()(z).tolist() == [-2, 0, 3]
    assert ReLU()(z).tolist() == [0, 0, 3]
    assert LeakyReLU(0.25)(z).tolist() == [-0.5, 0, 3]
    assert Sigmoid()(z)[1] == 0.5
    np.testing.assert_allclose(Swish(0.0)(z), z / 2)
    np.testing.assert_allclose(Swish(1e3)(z), ReLU()(z))
    np.testing.assert_allclose(Softplus(1e3)(z), [0, np.log(2) / 1e3, 3])
    assert ELU(0.5)(z)[[1, 2]].tolist() == [0, 3]
    assert Hardtanh()(z).tolist() == [-1, 0, 1]
    assert Hardswish()(np.array([-4.0, 0, 3, 9])).tolist() == [0, 0, 3, 9]
    assert Mish()(np.array([-1e3, 0, 1e3])).tolist() == [0, 0, 1e3]
    assert Sine(np.pi / 6)(z)[2] == 1


def test_a_normal_variable_keeps_its_mean_and_variance_under_selu():
    z, step = np.linspace(-12, 12, 24001, retstep=True)
    weights = np.exp(-z * z / 2) * step / np.sqrt(2 * np.pi)
    assert abs(weights @ SELU()(z)) < 1e-7
    assert abs(weights @ SELU()(z) ** 2 - 1) < 1e-6


def test_the_two_forms_of_gelu_are_near_but_not_the_same():
    z = np.linspace(-6, 6, 101)
    apart = np.abs(GELU()(z) - GELU("tanh")(z)).max()
    assert 1e-5 < apart < 1e-3


def test_at_its_kink_a_rectifier_has_the_slope_of_its_left_side():
    zero = np.zeros(1)
    assert ReLU().derivative(zero, zero) == 0
    assert LeakyReLU(0.2).derivative(zero, zero) == 0.2
    assert ELU(0.2).derivative(zero, zero) == 0.2


def test_what_is_not_a_number_shows():
    z = np.array([np.nan, 1.0])
    for activation in ALL:
        assert np.isnan(activation(z)).tolist() == [True, False]


@pytest.mark.parametrize(
    ("plugin", "field", "value", "rule"),
    [
        (LeakyReLU, "slope", -0.1, r"in \[0, 1\]"),
        (LeakyReLU, "slope", 1.1, r"in \[0, 1\]"),
        (LeakyReLU, "slope", np.nan, r"in \[0, 1\]"),
        (ELU, "alpha", 0.0, "positive and finite"),
        (Softplus, "beta", np.inf, "positive and finite"),
        (Swish, "beta", np.inf, "finite"),
        (Swish, "beta", np.nan, "finite"),
        (Sine, "frequency", np.inf, "finite"),
    ],
)
def test_bad_fields_are_refused(plugin, field, value, rule):
    with pytest.raises(ValueError, match=f"{field} must be {rule}"):
        plugin(**{field: value})
