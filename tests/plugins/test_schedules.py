import math

import numpy as np
import pytest
from harness_plugins.schedules import (
    Constant,
    Cosine,
    CosineRestarts,
    Exponential,
    OneCycle,
    Polynomial,
    Step,
    WarmupCosine,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.plugins.references.schedules import CASES

DEFAULTS = [type(case.stacks[0][0])() for case in CASES.values()]
ALL = [*DEFAULTS, Exponential(0.1), Polynomial(30.0), WarmupCosine(0.0), OneCycle(0.0, 1e9)]


def factors(schedule, total, dtype=float):
    """(T,) the factor of each update of one run of T."""
    step = np.arange(total, dtype=dtype)[:, None]
    return schedule(step, np.full_like(step, total))[:, 0]


@pytest.mark.parametrize("schedule", ALL, ids=repr)
@settings(deadline=None, max_examples=25)
@given(total=st.integers(1, 2000), dtype=st.sampled_from([np.float32, np.float64]))
def test_a_factor_is_positive_and_at_most_1(schedule, total, dtype):
    f = factors(schedule, total, dtype)
    assert f.dtype == dtype
    assert (f > 0).all()
    assert (f <= 1).all()


def test_constant_changes_nothing():
    assert factors(Constant(), 3).tolist() == [1, 1, 1]


def test_step_cuts_after_each_so_many_updates():
    assert factors(Step(2, 0.5), 7).tolist() == [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125]


def test_cosine_is_half_a_wave():
    expected = [0.5 * (1 + math.cos(math.pi * t / 50)) for t in range(50)]
    np.testing.assert_allclose(factors(Cosine(), 50), expected, rtol=1e-12)


def test_cosine_is_above_zero_to_the_end_of_a_long_run_in_single_precision():
    total = np.full((1, 1), 200_000, np.float32)
    assert Cosine()(total - 1, total) > 0
    assert WarmupCosine()(total - 1, total) > 0


@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.25, 0.33, 0.9])
def test_warmup_rises_to_1_and_then_falls(warmup):
    f = factors(WarmupCosine(warmup), 40)
    top = int(f.argmax())
    assert top == math.ceil(warmup * 40)
    assert (np.diff(f[: top + 1]) > 0).all()
    assert (np.diff(f[top:]) < 0).all()
    if warmup * 40 == top:
        assert f[top] == 1


def test_warmup_goes_up_in_equal_steps_from_the_first_one():
    np.testing.assert_allclose(factors(WarmupCosine(0.5), 8)[:5], [0.2, 0.4, 0.6, 0.8, 1])


def test_no_warmup_is_the_cosine():
    assert (factors(WarmupCosine(0.0), 30) == factors(Cosine(), 30)).all()


def test_polynomial_of_power_1_is_a_straight_line():
    np.testing.assert_allclose(factors(Polynomial(), 4), [1, 0.75, 0.5, 0.25])


def test_one_cycle_is_highest_at_the_end_of_its_warmup():
    f = factors(OneCycle(0.25, div_factor=10, final_div_factor=100), 40)
    np.testing.assert_allclose(f[[0, 9, -1]], [0.1, 1, 0.001])
    assert f.argmax() == 9


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("period", "growth"), [(5, 1), (5, 2), (1, 3), (3, 5), (1, 10)])
def test_cosine_starts_again_from_1_where_a_period_ends(period, growth, dtype):
    starts = [0]
    while starts[-1] < 3000:
        starts.append(starts[-1] + period * growth ** (len(starts) - 1))
    f = factors(CosineRestarts(period, growth), 3000, dtype)
    assert (f[starts[:-1]] == 1).all()
    assert {*np.flatnonzero(np.diff(f) > 0) + 1} <= {*starts}


def test_bad_fields_are_refused():
    with pytest.raises(ValueError, match="every must be 1 or more"):
        Step(every=0)
    for factor in (0.0, 1.1, math.nan):
        with pytest.raises(ValueError, match="factor must be in"):
            Step(factor=factor)
    for warmup in (-0.1, 1.0, math.nan):
        with pytest.raises(ValueError, match="warmup must be in"):
            WarmupCosine(warmup)
    for plugin, field, value in (
        (Exponential, "gamma", 1.1),
        (Exponential, "gamma", 0.0),
        (Polynomial, "power", 0.0),
        (OneCycle, "warmup", 1.0),
        (OneCycle, "div_factor", 0.0),
        (OneCycle, "final_div_factor", math.inf),
        (CosineRestarts, "period", 0),
        (CosineRestarts, "growth", 0),
    ):
        with pytest.raises(ValueError, match=f"{field} must be"):
            plugin(**{field: value})
