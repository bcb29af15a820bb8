import math

import numpy as np
import pytest
from harness_plugins.initializers import Glorot, He, Normal

SCALED = [
    (Glorot(), 2 / 500),
    (Glorot("uniform"), 2 / 500),
    (He(), 2 / 200),
    (He("uniform"), 2 / 200),
]


@pytest.mark.parametrize(("initializer", "variance"), SCALED, ids=repr)
def test_the_variance_is_that_of_the_formula_and_biases_are_zero(initializer, variance):
    weights = initializer(np.random.default_rng(0), 200, 300)
    assert weights.shape == (201, 300)
    assert weights[:-1].var() == pytest.approx(variance, rel=0.02)
    assert weights[:-1].mean() == pytest.approx(0, abs=4 * math.sqrt(variance / 60_000))
    assert (weights[-1] == 0).all()


@pytest.mark.parametrize(("initializer", "variance"), SCALED[1::2], ids=repr)
def test_uniform_stays_within_its_limits(initializer, variance):
    weights = initializer(np.random.default_rng(0), 200, 300)
    limit = math.sqrt(3 * variance)
    assert 0.999 * limit < np.abs(weights).max() <= limit


def test_normal_draws_the_whole_matrix_biases_too_in_one_go():
    weights = Normal(0.3)(np.random.default_rng(5), 2, 4)
    assert (weights == np.random.default_rng(5).normal(0, 0.3, (3, 4))).all()
    assert (Normal(0.0)(np.random.default_rng(5), 2, 4) == 0).all()


def test_bad_fields_are_refused():
    for scale in (-0.1, math.inf, math.nan):
        with pytest.raises(ValueError, match="scale must be 0 or more"):
            Normal(scale)
    for plugin in (Glorot, He):
        with pytest.raises(ValueError, match="distribution must be normal or uniform"):
            plugin("cauchy")
