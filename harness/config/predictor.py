"""Predict with a trained net, from its recorded config and weights."""

from collections.abc import Callable, Mapping

import numpy as np

from harness.config.record import resolve_environment
from harness.config.schema import build_plugin
from harness.contracts import Array, Arrays
from harness.store.old_records import complete_config
from harness.store.params import Config
from harness.training.data import Prepared, Scaling, decode, scale
from harness.training.stack import columns


def scaling_as_lists(prepared: Prepared) -> dict[str, list[float]]:
    """Return the scaling of the data as plain numbers, for JSON."""
    return {name: values.tolist() for name, values in prepared.scaling._asdict().items()}


def predictor(
    config: Config, weights: Arrays, scaling: Mapping[str, list[float]]
) -> Callable[[Array], Array]:
    """Return the function that a trained net computes, in the units of its data.

    The function maps x (N, features) to targets (N, targets) or probabilities (N, classes). It
    needs the model, activation and loss of the config, but neither dataset nor optimizer.
    """
    whole = complete_config(config)
    used = resolve_environment({key: whole[key] for key in ("model", "activation", "loss")})
    model, activation, loss = (build_plugin(kind, node) for kind, node in used.items())
    dtype = str(whole["dtype"])
    one_activation, one_loss = columns([activation], 3, dtype), columns([loss], 3, dtype)
    known = Scaling(*(np.array(scaling[name], float) for name in Scaling._fields))
    layers = [np.asarray(array, dtype)[None] for array in weights]

    def predict(x: Array) -> Array:
        scaled = scale(np.asarray(x, float), known).astype(dtype)
        with np.errstate(all="ignore"):
            outputs = model.forward(layers, scaled[None], one_activation)[0]
            return np.asarray(decode(outputs.astype(float), one_loss, known)[0])

    return predict
