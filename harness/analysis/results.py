"""Make the public RunResult and SweepResult from records on disk or in MLflow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, overload

import numpy as np

from harness.analysis import leaderboard
from harness.analysis.introspect import inspect_net
from harness.analysis.leaderboard import RankedRun
from harness.config.build import build
from harness.config.predictor import predictor, scaling_as_lists
from harness.contracts import Array, Arrays, RunResult, SweepResult
from harness.store.manifest import Manifest, Planned
from harness.store.params import Config, flatten, recorded_params
from harness.store.results import Result, read_result
from harness.training.data import prepare_for
from harness.training.weights import split_weights


def run_result(
    config: Config,
    weights: Arrays,
    trail: Mapping[str, Array] = MappingProxyType({}),
    **record: Any,
) -> RunResult:
    """Make a RunResult from a config, weights, the trace of the training, and other fields.

    The data is loaded again. Prepared data is cached, so the next run with it is quick.
    """
    member = build(config)
    prepared = prepare_for(member)
    raw = {part: prepared.raw(part) for part in prepared.rows}
    result = RunResult(
        **record,
        norms=layer_norms(trail),
        config=config,
        params=recorded_params(config),
        weights=weights,
        data=prepared.data,
        x={part: x for part, (x, _) in raw.items()},
        y={part: y for part, (_, y) in raw.items()},
        predictor=predictor(config, weights, scaling_as_lists(prepared)),
        look=partial(inspect_net, member, prepared, weights),
    )
    result.timeline = _timeline(result, trail, scaling_as_lists(prepared))
    return result


def planned_result(
    planned: Planned, result: Result | None, run_id: str | None, directory: Path
) -> RunResult:
    """Make a RunResult of a planned run; without a result it counts as failed."""
    result = result or Result(planned.fingerprint, "failed", 0, 0)
    return run_result(
        planned.config,
        result.weights,
        run_id=run_id,
        name=planned.name,
        outcome=result.outcome,
        curves={key: (curve.steps, curve.values) for key, curve in result.curves.items()},
        metrics=dict(result.metrics),
        best_epoch=result.best_epoch,
        fingerprint=planned.fingerprint,
        directory=directory,
        trail=result.trail,
    )


def layer_norms(trail: Mapping[str, Array]) -> dict[str, Array]:
    """Return the recorded norms of each layer's gradient, change and weights; see RunResult."""
    if "norms" not in trail:
        return {}
    parts = np.split(trail["norms"], 3, axis=1)
    named = dict(zip(("gradient", "change", "weights"), parts, strict=True))
    return named | {"epoch": trail["norms_epochs"]}


def _timeline(
    result: RunResult, trail: Mapping[str, Array], scaling: dict[str, list[float]]
) -> list[RunResult]:
    """Return the run at each epoch whose weights were kept, up to the epoch of its result."""
    if "film" not in trail or not result.weights:
        return []
    shapes = [array.shape for array in result.weights]
    earlier = []
    for epoch, row in zip(trail["film_epochs"].tolist(), trail["film"], strict=True):
        if epoch < result.best_epoch:
            weights = [layer[0] for layer in split_weights(row[None], shapes)]
            predict = predictor(result.config, weights, scaling)
            fields = {"weights": weights, "best_epoch": epoch, "predictor": predict, "look": None}
            earlier.append(replace(result, **fields))
    frames = [*earlier, result]
    for frame in earlier:
        frame.timeline = frames
    return frames


@dataclass(frozen=True)
class RunsOnDisk(Sequence[RunResult]):
    """The runs of a sweep, best first; each is read from disk when it is accessed."""

    directory: Path
    ranked: Sequence[RankedRun]
    run_ids: Mapping[str, str]

    def __len__(self) -> int:
        return len(self.ranked)

    @overload
    def __getitem__(self, index: int) -> RunResult: ...

    @overload
    def __getitem__(self, index: slice) -> list[RunResult]: ...

    def __getitem__(self, index: int | slice) -> RunResult | list[RunResult]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        planned = self.ranked[index].planned
        result = read_result(self.directory, planned.fingerprint)
        return planned_result(
            planned, result, self.run_ids.get(planned.fingerprint), self.directory
        )


def sweep_result(
    manifest: Manifest,
    directory: Path,
    ranked: Sequence[RankedRun],
    run_ids: Mapping[str, str],
    parent_run_id: str | None,
) -> SweepResult:
    """Make a SweepResult from a manifest and its ranked runs; results are read on access."""
    runs = RunsOnDisk(directory, ranked, run_ids)
    rows = [
        {
            "run_id": run_ids.get(s.planned.fingerprint),
            "name": s.planned.name,
            "outcome": s.outcome,
            **flatten(s.planned.config),
            **s.metrics,
        }
        for s in ranked
    ]
    best = runs[0] if leaderboard.best_run(ranked, manifest.objective) else None
    objective = str(manifest.objective["metric"]), str(manifest.objective["direction"])
    return SweepResult(manifest.sweep_id, parent_run_id, runs, best, directory, rows, objective)
