"""Which runs of a search are not worth going on with: Optuna's pruners, asked inside a stack."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import UsageError
from harness.registry import unknown

POINTS = 20  # of a run at which it is judged
PRUNERS = {
    "median": "MedianPruner",
    "percentile": "PercentilePruner",
    "successive_halving": "SuccessiveHalvingPruner",
    "hyperband": "HyperbandPruner",
    "threshold": "ThresholdPruner",
    "wilcoxon": "WilcoxonPruner",
}


@dataclass(frozen=True)
class Pruning:
    """What a worker needs to judge its runs: the pruner, and the trials that have ended."""

    pruner: Any  # a name, or {name: ..., option: value}
    trials: tuple[Any, ...]  # Optuna's own


def pruner(pruning: Pruning) -> Callable[[str, int, float], bool]:
    """prune(fingerprint, epoch, loss): note a run's loss; whether it should end here."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    chosen = made(pruning.pruner, PRUNERS, "pruner", optuna.pruners)
    study = optuna.create_study(pruner=chosen)
    study.add_trials(pruning.trials)
    runs: dict[str, Any] = {}

    def prune(fingerprint: str, epoch: int, loss: float) -> bool:
        trial = runs.setdefault(fingerprint, None) or study.ask()
        runs[fingerprint] = trial
        trial.report(loss, epoch)
        return bool(trial.should_prune())

    return prune


def made(asked: Any, known: Mapping[str, str], what: str, module: Any, **given: Any) -> Any:
    """One of Optuna's samplers or pruners, from a name or {name: ..., option: value}."""
    options = (
        {str(key): value for key, value in asked.items()} if isinstance(asked, Mapping) else {}
    )
    name = options.pop("name", None) if options else asked
    if name not in known:
        raise UsageError(unknown(f"hydra.sweeper.{what}", str(name), [*known]))
    try:
        return getattr(module, known[name])(**given | options)
    except (TypeError, ValueError, ImportError) as error:
        reason = str(error).partition("\n")[0]
        raise UsageError(f"hydra.sweeper.{what}={name}: {reason}") from error
