"""Real datasets that come with scikit-learn: nothing is downloaded, and no seed changes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.contracts import Data


def _classes(bunch: Any, target: str) -> Data:
    return Data(
        x=np.array(bunch.data, np.float64),
        y=np.array(bunch.target, np.int64),
        task="classification",
        feature_names=tuple(str(name) for name in bunch.feature_names),
        target_names=(target,),
        class_names=tuple(str(name) for name in bunch.target_names),
        standardize=True,
    )


@dataclass(frozen=True)
class Digits:
    """1,797 handwritten digits, 8×8 pixels of ink from 0 to 1. Alpaydin & Kaynak, UCI, 1998."""

    def load(self, rng: np.random.Generator) -> Data:
        """Return x (1797, 64) and codes of "0" to "9"; not standardised."""
        from sklearn.datasets import load_digits

        data = _classes(load_digits(), "digit")
        return data._replace(x=data.x / 16, standardize=False)


@dataclass(frozen=True)
class Iris:
    """150 irises of three species by the sizes of sepals and petals. Fisher, 1936."""

    def load(self, rng: np.random.Generator) -> Data:
        """Return x (150, 4) in cm and codes of setosa, versicolor, virginica."""
        from sklearn.datasets import load_iris

        return _classes(load_iris(), "species")


@dataclass(frozen=True)
class Wine:
    """178 wines of three cultivars by chemical analysis. Aeberhard & Forina, UCI, 1992."""

    def load(self, rng: np.random.Generator) -> Data:
        """Return x (178, 13) and codes of three cultivars."""
        from sklearn.datasets import load_wine

        return _classes(load_wine(), "cultivar")


@dataclass(frozen=True)
class BreastCancer:
    """569 tumours, malignant or benign, by the shapes of cell nuclei. Street et al., 1993."""

    def load(self, rng: np.random.Generator) -> Data:
        """Return x (569, 30) and codes of malignant and benign."""
        from sklearn.datasets import load_breast_cancer

        return _classes(load_breast_cancer(), "diagnosis")


@dataclass(frozen=True)
class Diabetes:
    """Progression of diabetes in 442 patients after one year. Efron et al., 2004."""

    def load(self, rng: np.random.Generator) -> Data:
        """Return x (442, 10) in the units it was measured in, and y (442, 1), from 25 to 346."""
        from sklearn.datasets import load_diabetes

        bunch = load_diabetes(scaled=False)
        return Data(
            x=np.array(bunch.data, np.float64),
            y=np.array(bunch.target, np.float64)[:, None],
            task="regression",
            feature_names=tuple(str(name) for name in bunch.feature_names),
            target_names=("progression",),
            standardize=True,
        )
