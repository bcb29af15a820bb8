"""Whether Snake keeps the contract of plugins, and is what its paper says it is."""

import numpy as np
from harness_snake import Snake

from harness.checks import parametrize_checks


@parametrize_checks("activation", Snake(), Snake(a=0.5), Snake(a=10.0))
def test_contract(check):
    check()


def test_it_is_the_line_wherever_the_wave_is_at_its_foot():
    z = np.pi * np.arange(-3, 4)
    np.testing.assert_allclose(Snake()(z), z, atol=1e-12)
    np.testing.assert_allclose(Snake()(z + np.pi / 2), z + np.pi / 2 + 1)
