"""The code of a saved model: MLflow runs it to load a trained net, then calls it to predict."""

# This file is copied into every saved model and runs there for years, beside later versions of
# harness. Models saved before 0.2.0 imported three modules of harness that have moved since, so
# this file imports harness.serving alone, whose four names stay. A model consists of this code,
# weights as npz and JSON, without pickle: it loads with MLFLOW_ALLOW_PICKLE_DESERIALIZATION=false
# as well. `set_model` at the end is how MLflow finds the class in a file of code.

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from harness.serving import layers, predictor, recall, unpack


class ServedModel(PythonModel):
    """A trained net with its scaling, which predicts from data in its own units."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read `model.json` and `weights.npz`, and build the net from the installed plugins."""
        self.about = json.loads(Path(context.artifacts["model"]).read_text(encoding="utf-8"))
        if (files := context.artifacts.get("plugins")) is not None:
            recall(str(folder) for folder in Path(files).iterdir())
        weights = layers(unpack(Path(context.artifacts["weights"]).read_bytes()))
        self._predict = predictor(self.about["config"], weights, self.about["scaling"])

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        """Return targets, or the probability of each class, one column each, for N rows.

        A frame that names its features may have them in any order; any other input is
        (N, features) in the order of training. Raises ValueError if features are missing.
        """
        features = self.about["features"]
        if isinstance(model_input, pd.DataFrame) and set(features) <= set(model_input.columns):
            model_input = model_input[features]
        x = np.asarray(model_input, float)
        if x.ndim != 2 or x.shape[1] != len(features):
            raise ValueError(f"got shape {x.shape}; (N, {len(features)}) expected: {features}")
        return pd.DataFrame(self._predict(x), columns=self.about["outputs"])


set_model(ServedModel())
