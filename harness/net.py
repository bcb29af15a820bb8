"""A trained net from its record: what it predicts, and all that is known of its run."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from harness.compose import build, net
from harness.contracts import Array, Arrays, RunResult
from harness.data import Prepared, Scaling, decode, prepare_for, scale
from harness.recording import Config, params
from harness.stack import columns


def scaling_of(prepared: Prepared) -> dict[str, list[float]]:
    """A scaling as plain numbers, for JSON."""
    return {name: values.tolist() for name, values in prepared.scaling._asdict().items()}


def predictor(
    config: Config, weights: Arrays, scaling: Mapping[str, list[float]]
) -> Callable[[Array], Array]:
    """x (N, features) -> targets (N, targets) or probabilities (N, classes), in the data's units.

    Needs the plugins of the config, and neither its dataset nor its training.
    """
    model, activation, loss, dtype = net(config)
    one_activation, one_loss = columns([activation], 3, dtype), columns([loss], 3, dtype)
    known = Scaling(*(np.array(scaling[name], float) for name in Scaling._fields))
    layers = [np.asarray(array, dtype)[None] for array in weights]

    def said(x: Array) -> Array:
        seen = scale(np.asarray(x, float), known).astype(dtype)
        with np.errstate(all="ignore"):
            outputs = model.forward(layers, seen[None], one_activation)[0]
            return np.asarray(decode(outputs.astype(float), one_loss, known)[0])

    return said


def run_result(config: Config, weights: Arrays, **record: Any) -> RunResult:
    """A run as people look at it, from its config, its weights and the rest of its record.

    The data is loaded again, which is quick: prepared data is kept for the next run.
    """
    prepared = prepare_for(build(config).member)
    raw = {part: prepared.raw(part) for part in prepared.rows}
    return RunResult(
        **record,
        config=config,
        params=params(config),
        weights=weights,
        data=prepared.data,
        x={part: x for part, (x, _) in raw.items()},
        y={part: y for part, (_, y) in raw.items()},
        predictor=predictor(config, weights, scaling_of(prepared)),
    )
