"""The plugin contract: kinds of plugins, arrays, data and results."""

from harness.contracts.arrays import Array, Arrays, Data, DataError, Uniform
from harness.contracts.plugins import (
    CONTRACT,
    KINDS,
    Activation,
    ClassificationLoss,
    Dataset,
    Figure,
    Initializer,
    Loss,
    Metric,
    Model,
    Optimizer,
    Schedule,
)
from harness.contracts.results import Hidden, Inside, RunResult, SweepResult

__all__ = [
    "CONTRACT",
    "KINDS",
    "Activation",
    "Array",
    "Arrays",
    "ClassificationLoss",
    "Data",
    "DataError",
    "Dataset",
    "Figure",
    "Hidden",
    "Initializer",
    "Inside",
    "Loss",
    "Metric",
    "Model",
    "Optimizer",
    "RunResult",
    "Schedule",
    "SweepResult",
    "Uniform",
]
