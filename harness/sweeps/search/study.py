"""Make Optuna's parts of a search: the study, and samplers and pruners by their names."""

import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from harness.errors import UsageError, require, require_known
from harness.store.manifest import Manifest
from harness.sweeps.search.space import Space, format_distribution
from harness.sweeps.search.storage import database_errors, open_database
from harness.training.data import derived_seed

KNOWN = {
    "sampler": {
        "tpe": "TPESampler",
        "random": "RandomSampler",
        "cmaes": "CmaEsSampler",
        "nsga2": "NSGAIISampler",
        "nsga3": "NSGAIIISampler",
        "qmc": "QMCSampler",
        "gp": "GPSampler",
        "brute_force": "BruteForceSampler",
    },
    "pruner": {
        "median": "MedianPruner",
        "percentile": "PercentilePruner",
        "successive_halving": "SuccessiveHalvingPruner",
        "hyperband": "HyperbandPruner",
        "threshold": "ThresholdPruner",
        "wilcoxon": "WilcoxonPruner",
    },
}


def check_search(settings: dict[str, Any], objectives: int) -> None:
    """Raise UsageError if a setting of the search is wrong, or Optuna is not installed."""
    for key in ("n_trials", "n_jobs"):
        value = settings[key]
        good = type(value) is int and value >= 1
        require(good, f"hydra.sweeper.{key}={value}: a whole number, at least 1")
    there = find_spec("optuna") is not None
    require(there, "hydra/sweeper=optuna: pip install 'numpy-harness[optuna]' first")
    make_optuna_part("sampler", settings["sampler"])
    if settings["pruner"] is not None:
        make_optuna_part("pruner", settings["pruner"])
        require(objectives == 1, "hydra.sweeper.pruner: for one objective, and there are several")


@database_errors()
def open_storage(url: str, manifest: Manifest, space: Space) -> Any:
    """Open Optuna's storage; UsageError if the study has other directions or values."""
    import optuna

    storage, name = open_database(url), study_name(manifest)
    there = {study.study_name: study.directions for study in storage.get_all_studies()}
    found = [direction.name.lower() for direction in there.get(name, ())]
    if found and found != directions_of(manifest):
        raise UsageError(f"hydra.sweeper.study_name={name}: that study's directions are {found}")
    if found:
        require_same_space(optuna.load_study(study_name=name, storage=storage), space)
    return storage


def require_same_space(study: Any, space: Space) -> None:
    """Raise UsageError if a study has tried values of another kind for a key of this space."""
    from optuna.distributions import check_distribution_compatibility

    tried: dict[str, list[Any]] = {}
    for trial in study.get_trials(deepcopy=False):
        for key, there in trial.distributions.items():
            if there not in (known := tried.setdefault(key, [])):
                known.append(there)
    for dimension in (*space.groups, *space.fields):
        here = dimension.distribution()
        for there in tried.get(dimension.key, ()):
            try:
                check_distribution_compatibility(there, here)
            except ValueError:
                before, now = format_distribution(there), format_distribution(here)
                raise UsageError(
                    f"study {study.study_name}: it searches {dimension.key}={before}, "
                    f"and this search {dimension.key}={now}\n"
                    "Optuna cannot join these: choose another hydra.sweeper.study_name"
                ) from None


def study_name(manifest: Manifest) -> str:
    """Return the name of a search's study in its storage."""
    return str((manifest.search or {})["study_name"] or manifest.sweep_id)


def directions_of(manifest: Manifest) -> list[Any]:
    """Return the direction of each objective of a search."""
    objective = manifest.objective
    return [objective["direction"], *(direction for _, direction in objective["others"])]


def open_study(manifest: Manifest, storage: Any) -> Any:
    """Return the study of a sweep: a new one, or the one of this name in the storage."""
    import optuna

    assert manifest.search is not None
    study = optuna.create_study(
        storage=storage,
        study_name=study_name(manifest),
        directions=directions_of(manifest),
        load_if_exists=True,
    )
    # A sampler with the seed that a trial of this study had would ask for its setting again.
    seed = derived_seed(manifest.search["seed"], len(study.get_trials(deepcopy=False)))
    study.sampler = make_optuna_part("sampler", manifest.search["sampler"], seed=seed)
    return study


def best_trials(study: Any) -> list[Any]:
    """Return the best trials of a study; none if no trial is complete."""
    from optuna.trial import TrialState

    done = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    return list(study.best_trials) if done else []


def make_optuna_part(what: str, asked: Any, **given: Any) -> Any:
    """Return a sampler or pruner of Optuna, from a name or {name: ..., option: value}."""
    import optuna

    options = {str(k): v for k, v in asked.items()} if isinstance(asked, Mapping) else {}
    name = str(options.pop("name", None) if options else asked)
    require_known(f"hydra.sweeper.{what}", name, KNOWN[what])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what Optuna calls experimental
            return getattr(getattr(optuna, f"{what}s"), KNOWN[what][name])(**given | options)
    except (TypeError, ValueError, ImportError) as error:
        reason = str(error).partition("\n")[0]
        raise UsageError(f"hydra.sweeper.{what}={name}: {reason}") from error
