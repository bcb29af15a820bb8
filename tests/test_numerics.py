import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import special

from harness.numerics import log_softmax, sigmoid, softmax, softplus, tanh, with_ones

FUNCTIONS = [sigmoid, tanh, softplus, softmax, log_softmax]
ANY = arrays(float, array_shapes(max_dims=3, max_side=5), elements=st.floats(-1e3, 1e3))


@settings(deadline=None, max_examples=50)
@given(ANY)
def test_agrees_with_scipy(z):
    np.testing.assert_allclose(sigmoid(z), special.expit(z), rtol=1e-14)
    np.testing.assert_allclose(softplus(z), -special.log_expit(-z), rtol=1e-14)
    np.testing.assert_allclose(softmax(z), special.softmax(z, axis=-1), rtol=1e-13)
    np.testing.assert_allclose(
        log_softmax(z), special.log_softmax(z, axis=-1), rtol=1e-13, atol=1e-13
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64, complex])
def test_the_hyperbolic_tangent_is_numpys_but_for_the_last_digit_of_1(dtype):
    z = np.append(np.linspace(-25, 25, 999), [0.0, 1e-9, np.inf, -np.inf]).astype(dtype)
    np.testing.assert_allclose(tanh(z), np.tanh(z), rtol=0, atol=4e-16)
    assert tanh(z[999:1000]) == 0
    assert tanh(z).dtype == dtype


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_stays_finite_far_out_and_keeps_the_dtype(function, dtype):
    z = np.array([[-1e30, -1e3, -745.0, -0.0], [0.0, 1.0, 1e3, 1e30]], dtype)
    z.flags.writeable = False
    out = function(z)
    assert out.dtype == dtype
    assert out.shape == z.shape
    assert np.isfinite(out).all()
    assert not np.shares_memory(out, z)


def test_no_overflow_is_raised_even_where_every_flag_is_an_error():
    z = np.array([-2e3, -745.0, 0.0, 745.0, 2e3])
    with np.errstate(all="raise"):
        assert sigmoid(z)[[0, 2, 4]].tolist() == [0, 0.5, 1]
        assert softplus(z)[[0, 4]].tolist() == [0, 2e3]
        assert softmax(z).tolist() == [0, 0, 0, 0, 1]
        assert log_softmax(z)[0] == -4e3


def test_sigmoid_is_the_formula_to_the_bit():
    z = np.random.default_rng(0).normal(0, 10, 1000)
    assert (sigmoid(z) == 1 / (1 + np.exp(-z))).all()
    assert sigmoid(np.float64(0.0)) == 0.5


def test_sigmoid_takes_a_complex_step():
    z = np.linspace(-5, 5, 11)
    slope = sigmoid(z + 1e-30j).imag / 1e-30
    np.testing.assert_allclose(slope, sigmoid(z) * (1 - sigmoid(z)), rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_ones_are_the_last_column(dtype):
    x = np.arange(12, dtype=dtype).reshape(2, 3, 2)
    out = with_ones(x)
    assert out.dtype == dtype
    assert out.shape == (2, 3, 3)
    assert (out[..., :-1] == x).all()
    assert (out[..., -1] == 1).all()


@pytest.mark.parametrize("runs", [1, 4])
def test_one_array_seen_by_many_runs_stays_one_array(runs):
    x = np.arange(6.0).reshape(3, 2)
    seen = np.broadcast_to(x, (runs, 3, 2))
    out = with_ones(seen)
    assert out.shape == (runs, 3, 3)
    assert out.strides[0] == 0
    assert (out == with_ones(seen.copy())).all()
    assert not np.shares_memory(out, x)
