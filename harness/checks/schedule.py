"""Checks of schedules: a positive, finite factor for each update."""

from typing import Any

import numpy as np

from harness.checks.kit import Call, Case, Kind, expect, expect_array, expect_like
from harness.contracts import Array

HEADING = "Schedules"


def use(schedule: Any, case: Case, call: Call) -> dict[str, Array]:
    """Return the factor of one update, and of all updates of a run."""
    runs, total = len(case.members), 40 + case.seed
    steps = [np.full((runs, 1), step, case.dtype) for step in range(total)]
    actual = [call(schedule, step, np.full_like(step, total)) for step in steps]
    what = "__call__(step, total_steps)"
    factors = [expect_array(what, each, (runs, 1), HEADING) for each in actual]
    return {"factor": factors[7], "factors of a run": np.concatenate(factors, axis=1)}


KIND = Kind("schedule", use, HEADING, ndim=2)


def check_schedule_gives_a_column(schedule: Any) -> None:
    for dtype in (np.float32, np.float64):
        step = np.full((4, 1), 3, dtype)
        factor = KIND.stacked(schedule, Case(dtype=dtype))(step, np.full_like(step, 10))
        expect_like("the factors of 4 runs", factor, (4, 1), dtype, HEADING)


def check_schedule_is_positive_and_finite_to_the_end(schedule: Any) -> None:
    """Check runs of one update, of few and of many; each update is a row of `step`."""
    for total in (1, 2, 3, 10, 365, 1000):
        step = np.arange(total, dtype=float)[:, None]
        factor = schedule(step, np.full_like(step, total))
        expect_like(f"factors of {total} updates", factor, (total, 1), float, HEADING)
        bad = np.flatnonzero(~((factor[:, 0] > 0) & np.isfinite(factor[:, 0])))
        first = f"{factor[bad[0], 0]} at update {bad[0]}" if len(bad) else ""
        expect(not len(bad), f"positive, finite factors in a run of {total}", first, HEADING)
