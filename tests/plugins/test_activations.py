import numpy as np
import pytest
from harness_plugins.activations.gated import Hardswish, Mish, Swish
from harness_plugins.activations.gelu import GELU
from harness_plugins.activations.piecewise import Hardtanh, Identity, LeakyReLU, ReLU
from harness_plugins.activations.smooth import ELU, SELU, Sigmoid, Softplus
from harness_plugins.activations.waves import Sine

from tests.plugins.references.activations import CASES

STACKS = [plugins for case in CASES.values() for plugins in case.stacks]
ALL = [plugin for plugins in STACKS for plugin in dict.fromkeys(plugins)]


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
