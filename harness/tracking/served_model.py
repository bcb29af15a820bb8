"""The saved model's own file: MLflow runs it to load a trained net, then asks it to predict."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from harness.serving import layers, predictor, recall, unpack


class ServedModel(PythonModel):
    """A net with its scaling: data in its own units in, targets or probabilities out."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read `model.json` and `weights.npz`, and build the net from the installed plugins."""
        self.about = json.loads(Path(context.artifacts["model"]).read_text(encoding="utf-8"))
        if (files := context.artifacts.get("plugins")) is not None:
            recall(str(folder) for folder in Path(files).iterdir())
        weights = layers(unpack(Path(context.artifacts["weights"]).read_bytes()))
        self._said = predictor(self.about["config"], weights, self.about["scaling"])

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        """A column a target, or a column a class with its probability, for N rows of features.

        A frame whose columns have the features' names may have them in any order; anything else
        is (N, features) in the order of training. Raises ValueError if features are missing.
        """
        features = self.about["features"]
        if isinstance(model_input, pd.DataFrame) and set(features) <= set(model_input.columns):
            model_input = model_input[features]
        x = np.asarray(model_input, float)
        if x.ndim != 2 or x.shape[1] != len(features):
            raise ValueError(f"got shape {x.shape}; (N, {len(features)}) expected: {features}")
        return pd.DataFrame(self._said(x), columns=self.about["outputs"])


set_model(ServedModel())
