"""Schedules of torch.optim.lr_scheduler."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
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

from harness.training.stack import columns
from tests.plugins.references.case import Case, difference

TITLE = "Schedules"
HOW = "The factor of each of 400 updates."

STEPS = 400


def case(stacks: list[list[Any]], name: str, fields: Callable[[Any], dict[str, Any]]) -> Case:
    """A class of torch.optim.lr_scheduler, and its settings for those of ours."""

    def compute(scheduler: Any, optimizer: Any, plugin: Any) -> Any:
        return getattr(scheduler, name)(optimizer, **fields(plugin))

    return Case(stacks, name, compute)


def warmup_cosine(scheduler: Any, optimizer: Any, o: WarmupCosine) -> Any:
    rise = round(o.warmup * STEPS)
    up = scheduler.LinearLR(optimizer, 1 / (rise + 1), total_iters=rise)
    down = scheduler.CosineAnnealingLR(optimizer, STEPS - rise)
    return scheduler.SequentialLR(optimizer, [up, down], [rise])


CASES = {
    "constant": case([[Constant()] * 4], "ConstantLR", lambda o: {"factor": 1}),
    "cosine": case([[Cosine()] * 4], "CosineAnnealingLR", lambda o: {"T_max": STEPS}),
    "cosine_restarts": case(
        [[CosineRestarts(*fields)] * 4 for fields in ((100, 1), (7, 2), (1, 3), (25, 5))],
        "CosineAnnealingWarmRestarts",
        lambda o: {"T_0": o.period, "T_mult": o.growth},
    ),
    "exponential": case(
        [[Exponential(gamma) for gamma in (0.9, 0.99, 0.999, 1.0)]],
        "ExponentialLR",
        lambda o: {"gamma": o.gamma},
    ),
    "one_cycle": case(
        [
            [OneCycle(warmup) for warmup in (0.05, 0.3, 0.5, 0.9)],
            [
                OneCycle(0.25, first, last)
                for first, last in ((25, 1e4), (2, 1), (10, 5), (1, 100))
            ],
        ],
        "OneCycleLR",
        lambda o: {
            "max_lr": 1.0,
            "total_steps": STEPS,
            "pct_start": o.warmup,
            "div_factor": o.div_factor,
            "final_div_factor": o.final_div_factor,
            "cycle_momentum": False,
        },
    ),
    "polynomial": case(
        [[Polynomial(power) for power in (0.5, 0.9, 1.0, 3.0)]],
        "PolynomialLR",
        lambda o: {"total_iters": STEPS, "power": o.power},
    ),
    "step": case(
        [[Step(every, factor) for factor in (0.1, 0.5, 0.9, 1.0)] for every in (1, 7, 100)],
        "StepLR",
        lambda o: {"step_size": o.every, "gamma": o.factor},
    ),
    "warmup_cosine": Case(
        [[WarmupCosine(warmup) for warmup in (0.05, 0.1, 0.33, 0.9)]],
        "LinearLR, then CosineAnnealingLR",
        warmup_cosine,
    ),
}


def differences(case: Case) -> Iterator[float]:
    """Of the factors of a whole run, with a learning rate of 1."""
    import torch

    for plugins in case.stacks:
        schedule, total = columns(plugins, 2, float), np.full((len(plugins), 1), float(STEPS))
        ours = np.hstack([schedule(np.full_like(total, t), total) for t in range(STEPS)])
        for r, plugin in enumerate(plugins):
            weights = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
            optimizer = torch.optim.SGD([weights], 1.0)
            scheduler, theirs = case.compute(torch.optim.lr_scheduler, optimizer, plugin), []
            for _ in range(STEPS):
                theirs.append(float(optimizer.param_groups[0]["lr"]))
                optimizer.step()
                scheduler.step()
            yield difference(ours[r], np.array(theirs))
