"""Optuna's parts of a search: the study, the sampler and the pruner, by their names."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.errors import UsageError
from harness.planning import derived
from harness.registry import unknown
from harness.search.trials import database, in_reach
from harness.stopping.ledger import questioned_every
from harness.store import Manifest, Result

SAMPLERS = {
    "tpe": "TPESampler",
    "random": "RandomSampler",
    "cmaes": "CmaEsSampler",
    "nsga2": "NSGAIISampler",
    "nsga3": "NSGAIIISampler",
    "qmc": "QMCSampler",
    "gp": "GPSampler",
    "brute_force": "BruteForceSampler",
}
PRUNERS = {
    "median": "MedianPruner",
    "percentile": "PercentilePruner",
    "successive_halving": "SuccessiveHalvingPruner",
    "hyperband": "HyperbandPruner",
    "threshold": "ThresholdPruner",
    "wilcoxon": "WilcoxonPruner",
}


def check(settings: dict[str, Any], objectives: int) -> None:
    """UsageError if a search cannot be as it is asked for."""
    for key in ("n_trials", "n_jobs"):
        value = settings[key]
        right = isinstance(value, int) and not isinstance(value, bool) and value >= 1
        if not right:
            raise UsageError(f"hydra.sweeper.{key}={value}: a whole number, at least 1")
    try:
        import optuna
    except ImportError as error:
        raise UsageError("hydra/sweeper=optuna: pip install 'harness[optuna]' first") from error
    made(settings["sampler"], SAMPLERS, "sampler", optuna.samplers)
    if settings["pruner"] is not None:
        made(settings["pruner"], PRUNERS, "pruner", optuna.pruners)
        if objectives > 1:
            raise UsageError("hydra.sweeper.pruner: for one objective, and there are several")


@in_reach()
def opened(url: str, name: str | None, directions: Sequence[str]) -> Any:
    """Optuna's storage at a database URL; UsageError if its study of this name seeks otherwise."""
    storage = database(url)
    there = {study.study_name: study.directions for study in storage.get_all_studies()}
    found = [direction.name.lower() for direction in there.get(name, ())]
    if found and found != [*directions]:
        raise UsageError(f"hydra.sweeper.study_name={name}: that study's directions are {found}")
    return storage


def study_of(manifest: Manifest, storage: Any) -> Any:
    """The study of a sweep: a new one, or the one of this name that is there."""
    import optuna

    settings: dict[str, Any] = manifest.search or {}
    first = manifest.objective["direction"]
    study = optuna.create_study(
        storage=storage,
        study_name=settings["study_name"] or manifest.sweep_id,
        directions=[first, *(direction for _, direction in manifest.objective["others"])],
        load_if_exists=True,
    )
    seed = derived(settings["seed"], len(study.get_trials(deepcopy=False)))  # not those again
    study.sampler = made(settings["sampler"], SAMPLERS, "sampler", optuna.samplers, seed=seed)
    return study


def pruning_study(asked: Any) -> Any:
    """Where losses on the way are kept, to prune others by: apart, for these are minimised."""
    if asked is None:
        return None
    import optuna

    chosen = made(asked, PRUNERS, "pruner", optuna.pruners)
    return optuna.create_study(direction="minimize", pruner=chosen)


def note(study: Any, result: Result, epochs: int) -> None:
    """A run's losses at the points at which runs are pruned."""
    from optuna.trial import TrialState

    curve = result.curves.get("val/loss", result.curves.get("train/loss"))
    if result.outcome not in ("ok", "pruned") or curve is None:
        return
    trial, every = study.ask(), questioned_every(epochs)
    points = range(every, min(epochs, result.last_epoch + 1), every)
    losses = np.interp([*points], curve.steps, curve.values)
    for epoch, loss in zip(points, losses, strict=True):
        trial.report(float(loss), epoch)
        trial.should_prune()  # some pruners take note of what they are asked
    if result.outcome == "ok":
        study.tell(trial, float(curve.values[-1]))
    else:
        study.tell(trial, state=TrialState.PRUNED)


def best(study: Any) -> list[Any]:
    from optuna.trial import TrialState

    done = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    return list(study.best_trials) if done else []


def made(asked: Any, known: Mapping[str, str], what: str, module: Any, **given: Any) -> Any:
    """One of Optuna's samplers or pruners, from a name or {name: ..., option: value}."""
    options = (
        {str(key): value for key, value in asked.items()} if isinstance(asked, Mapping) else {}
    )
    name = options.pop("name", None) if options else asked
    if name not in known:
        raise UsageError(unknown(f"hydra.sweeper.{what}", str(name), [*known]))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what Optuna calls experimental
            return getattr(module, known[name])(**given | options)
    except (TypeError, ValueError, ImportError) as error:
        reason = str(error).partition("\n")[0]
        raise UsageError(f"hydra.sweeper.{what}={name}: {reason}") from error
