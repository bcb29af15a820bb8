"""A sweep as settings in a space: what varied, as numbers, and the objective of each setting."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from harness.contracts import Array, SweepResult
from harness_plugins.figures.theme import plain

NOT_SET = "not set"
WIDE = 20  # a ratio from which on a scale is logarithmic
BINS = 8  # of a hyperparameter with many values
MOST = 2000  # settings that a forest is grown on
TREES, SHUFFLES = 40, 5
ENOUGH = 12  # settings, the fewest from which importance is estimated


@dataclass(frozen=True)
class Axis:
    """One hyperparameter over the settings."""

    key: str
    at: Array  # (settings,) the number or its logarithm, or the place among the labels
    labels: tuple[str, ...]
    places: Array  # where the labels stand

    @property
    def unit(self) -> tuple[Array, Array]:
        """Settings and labels between 0 and 1."""
        every = np.concatenate([self.at, self.places])
        low, span = every.min(), np.ptp(every) or 1.0
        return (self.at - low) / span, (self.places - low) / span


@dataclass(frozen=True)
class Space:
    """Settings, each over its seeds."""

    axes: list[Axis]
    worth: Array  # (settings,) mean of the objective over runs that ended well; nan without any
    runs: Array  # (settings,) how many there are
    diverged: Array  # (settings,) how many of them diverged
    first: Array  # (settings,) which run is the best of each

    @property
    def well(self) -> Array:
        return np.isfinite(self.worth)


def space(result: SweepResult) -> Space:
    """Return the settings of a sweep; runs that differ only in their seed are one setting."""
    not_settings = ("run_id", "name", "outcome", "seed")
    names = {k: None for row in result.rows for k in row if "/" not in k and k not in not_settings}
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    first: list[int] = []
    for at, row in enumerate(result.rows):
        group = groups.setdefault(tuple(str(row.get(k, NOT_SET)) for k in names), [])
        first += [] if group else [at]
        group.append(row)
    columns = list(zip(*groups, strict=True)) if names else []
    axes = [axis(k, c) for k, c in zip(names, columns, strict=True) if len({*c} - {NOT_SET}) > 1]
    rows = groups.values()
    metric = result.objective[0]
    return Space(
        axes,
        np.array([_mean(g, metric) for g in rows]),
        np.array([len(g) for g in rows]),
        np.array([sum(r["outcome"] == "diverged" for r in g) for g in rows]),
        np.array(first),
    )


def _mean(rows: Sequence[Mapping[str, Any]], metric: str) -> float:
    values = [row[metric] for row in rows if row["outcome"] == "ok" and metric in row]
    return float(np.mean(values)) if values else math.nan


def axis(key: str, texts: Sequence[str]) -> Axis:
    """Numbers keep their order and distance, on a logarithmic scale where they span much."""
    values = {text: _number(text) for text in texts if text != NOT_SET}
    if all(value is not None for value in values.values()):
        given = np.array(sorted({float(v) for v in values.values() if v is not None}))
        wide = given[0] > 0 and given[-1] / given[0] >= WIDE
        scale = np.log10 if wide else np.asarray
        below = scale(given)[0] - 0.15 * (np.ptp(scale(given)) or 1.0)
        at = np.array([below if t == NOT_SET else scale(float(t)) for t in texts])
        shown = (
            given if len(given) <= BINS else given[np.linspace(0, len(given) - 1, 5).astype(int)]
        )
        labels, places = [f"{value:.3g}" for value in shown], [*scale(shown)]
        if NOT_SET in texts:
            labels, places = [NOT_SET, *labels], [below, *places]
        return Axis(key, at, tuple(labels), np.array(places))
    known = sorted({*texts})
    at = np.array([float(known.index(text)) for text in texts])
    return Axis(key, at, tuple(plain(text, 14) for text in known), np.arange(len(known)))


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def scaled(worth: Array) -> tuple[Array, bool]:
    """Return the objective, or its logarithm if it spans much, and True for a logarithm."""
    wide = bool(worth.min() > 0 and worth.max() / worth.min() >= WIDE)
    return (np.log10(worth) if wide else worth), wide


def by_importance(found: Space) -> list[Axis]:
    """Return the axes, most important first; with too few settings in their own order."""
    if found.well.sum() < ENOUGH or len(found.axes) < 2:
        return found.axes
    drop, _, _ = importance(found)
    return [found.axes[i] for i in np.argsort(-drop, kind="stable")]


def importance(found: Space) -> tuple[Array, Array, float]:
    """Of each axis the loss of R² when it is shuffled, its spread, and the forest's own R².

    The latter is of settings that a tree has not seen: near 0, the rest means nothing.
    """
    few = np.flatnonzero(found.well)
    few = few[np.linspace(0, len(few) - 1, min(len(few), MOST)).astype(int)]
    x = np.stack([each.at[few] for each in found.axes], axis=1)
    return _forest(x.tobytes(), x.shape, scaled(found.worth[few])[0].tobytes())


@lru_cache(maxsize=1)
def _forest(x: bytes, shape: tuple[int, int], y: bytes) -> tuple[Array, Array, float]:
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    table, worth = np.frombuffer(x).reshape(shape), np.frombuffer(y)
    forest = RandomForestRegressor(TREES, n_jobs=1, random_state=0, oob_score=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a setting that every tree has seen
        forest.fit(table, worth)
        importance = permutation_importance(
            forest, table, worth, n_repeats=SHUFFLES, n_jobs=1, random_state=0
        )
    return importance.importances_mean, importance.importances_std, float(forest.oob_score_)
