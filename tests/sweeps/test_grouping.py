"""Which runs are trained together, and how many at once."""

import pytest

from harness.config.build import build
from harness.engines import Engine
from harness.sweeps.grouping import LARGEST_STACK, group_into_stacks, largest_stack
from harness.sweeps.plan import plan, requested_run
from tests.conftest import make_config

pytest.importorskip("loky")


def dealt(engine, *changes):
    jobs = [requested_run(i, (f"n={i}",), make_config(**each)) for i, each in enumerate(changes)]
    return [*group_into_stacks(plan(jobs, command=(), single=False).runs, engine)]


def test_stacks_hold_at_least_one_run_and_no_more_than_fit():
    member = build(make_config())
    assert largest_stack(member, 1) == 1
    assert largest_stack(member, 1 << 40) == LARGEST_STACK
    small, large = (largest_stack(member, size) for size in (100_000, 200_000))
    assert 1 < small < large


def test_runs_share_a_stack_if_they_share_a_signature():
    tanh = {"activation": {"name": "tanh"}}
    works = dealt(Engine(), {"seed": 1}, {"seed": 2, **tanh}, {"seed": 3}, tanh)
    assert [[config["seed"] for config in work.configs] for work in works] == [[1, 3], [2, 0]]


def test_there_is_a_stack_for_each_worker():
    seeds = [{"seed": seed} for seed in range(10)]
    works = dealt(Engine("processes", workers=3), *seeds)
    assert [len(work.configs) for work in works] == [4, 4, 2]
    assert len(dealt(Engine(), *seeds)) == 1


def test_runs_that_may_end_early_form_stacks_as_large_as_any():
    patient = {"stopping": {"patience": 3, "min_delta": 0.0, "max_seconds": None}}
    size = largest_stack(build(make_config()), 20_000)
    works = dealt(Engine(stack_bytes=20_000), *({"seed": seed, **patient} for seed in range(10)))
    assert 1 < size < 5
    assert [len(work.configs) for work in works[:-1]] == [size] * (len(works) - 1)
