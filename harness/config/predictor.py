"""A trained net from its record: what it predicts, in the units of its data."""

from collections.abc import Callable, Mapping

import numpy as np

from harness.config.build import predicting_parts
from harness.contracts import Array, Arrays
from harness.store.old_records import complete_config
from harness.store.params import Config
from harness.training.data import Prepared, Scaling, decode, scale
from harness.training.stack import columns


def scaling_as_lists(prepared: Prepared) -> dict[str, list[float]]:
    """A scaling as plain numbers, for JSON."""
    return {name: values.tolist() for name, values in prepared.scaling._asdict().items()}


def predictor(
    config: Config, weights: Arrays, scaling: Mapping[str, list[float]]
) -> Callable[[Array], Array]:
    """x (N, features) -> targets (N, targets) or probabilities (N, classes), in the data's units.

    Needs the plugins of the config, and neither its dataset nor its training.
    """
    model, activation, loss, dtype = predicting_parts(complete_config(config))
    one_activation, one_loss = columns([activation], 3, dtype), columns([loss], 3, dtype)
    known = Scaling(*(np.array(scaling[name], float) for name in Scaling._fields))
    layers = [np.asarray(array, dtype)[None] for array in weights]

    def said(x: Array) -> Array:
        seen = scale(np.asarray(x, float), known).astype(dtype)
        with np.errstate(all="ignore"):
            outputs = model.forward(layers, seen[None], one_activation)[0]
            return np.asarray(decode(outputs.astype(float), one_loss, known)[0])

    return said
