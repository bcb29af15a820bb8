import numpy as np
import pytest
from harness_plugins.activations import Identity, LeakyReLU, ReLU, Sigmoid, Swish, Tanh
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from harness.stack import columns

ALL = [Identity(), Sigmoid(), Tanh(), ReLU(), LeakyReLU(), LeakyReLU(0.3), Swish(), Swish(-2.5)]
STACKS = [
    [Identity()] * 5,
    [Sigmoid()] * 5,
    [Tanh()] * 5,
    [ReLU()] * 5,
    [LeakyReLU(slope) for slope in (0.0, 0.01, 0.1, 0.3, 1.0)],
    [Swish(beta) for beta in (-1.0, 0.0, 0.1, 1.0, 7.0)],
]
ANY = arrays(
    float,
    array_shapes(max_dims=3, max_side=4),
    elements=st.floats(-20, 20).filter(lambda z: abs(z) > 1e-9),  # off the kinks
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


@pytest.mark.parametrize("plugins", STACKS, ids=lambda plugins: type(plugins[0]).__name__)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_stack_equals_its_members_alone(plugins, dtype):
    z = np.random.default_rng(0).normal(0, 5, (5, 33, 7)).astype(dtype)
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


def test_at_its_kink_a_rectifier_has_the_slope_of_its_left_side():
    zero = np.zeros(1)
    assert ReLU().derivative(zero, zero) == 0
    assert LeakyReLU(0.2).derivative(zero, zero) == 0.2


def test_what_is_not_a_number_shows():
    z = np.array([np.nan, 1.0])
    for activation in ALL:
        assert np.isnan(activation(z)).tolist() == [True, False]


@pytest.mark.parametrize("slope", [-0.1, 1.1, np.nan])
def test_a_slope_outside_0_to_1_is_refused(slope):
    with pytest.raises(ValueError, match="slope must be in"):
        LeakyReLU(slope)


@pytest.mark.parametrize("beta", [np.inf, np.nan])
def test_a_beta_that_is_not_finite_is_refused(beta):
    with pytest.raises(ValueError, match="beta must be finite"):
        Swish(beta)
