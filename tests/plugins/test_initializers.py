import numpy as np
import pytest
from harness_plugins.initializers import Glorot, He, LeCun, Normal, Orthogonal, Uniform, Zeros


@pytest.mark.parametrize("plugin", [Glorot, He, LeCun])
def test_uniform_stays_within_its_limits(plugin):
    weights = plugin("uniform")(np.random.default_rng(0), 200, 300)
    limit = np.sqrt(3) * weights[:-1].std()
    assert 0.99 * limit < np.abs(weights).max() <= 1.01 * limit


def test_normal_draws_the_whole_matrix_biases_too_in_one_go():
    weights = Normal(0.3)(np.random.default_rng(5), 2, 4)
    assert (weights == np.random.default_rng(5).normal(0, 0.3, (3, 4))).all()
    assert (Normal(0.0)(np.random.default_rng(5), 2, 4) == 0).all()


@pytest.mark.parametrize("fans", [(1, 1), (3, 1), (1, 3), (7, 7), (60, 30)])
def test_orthogonal_keeps_lengths_and_says_nothing_of_the_signs(fans):
    drawn = [Orthogonal(2.0)(np.random.default_rng(seed), *fans)[:-1] for seed in range(40)]
    for w in drawn:
        long, short = (w, w.T) if fans[0] >= fans[1] else (w.T, w)
        np.testing.assert_allclose(short @ long, 4 * np.eye(min(fans)), rtol=0, atol=1e-12)
    assert 8 <= sum(w[0, 0] > 0 for w in drawn) <= 32


def test_bad_fields_are_refused():
    for plugin in (Normal, Uniform):
        for scale in (-0.1, np.inf, np.nan):
            with pytest.raises(ValueError, match="scale must be 0 or more"):
                plugin(scale)
    for plugin in (Glorot, He, LeCun):
        with pytest.raises(ValueError, match="distribution must be normal or uniform"):
            plugin("cauchy")
    with pytest.raises(ValueError, match="gain must be positive"):
        Orthogonal(0.0)


def test_zeros_draw_nothing():
    rng = np.random.default_rng(0)
    assert not Zeros()(rng, 3, 2).any()
    assert rng.bit_generator.state == np.random.default_rng(0).bit_generator.state
