"""Which runs of a search are not worth going on with: Optuna's pruners, asked inside a stack."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.search.study import PRUNERS, made


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
        if fingerprint not in runs:
            runs[fingerprint] = study.ask()
        runs[fingerprint].report(loss, epoch)
        return bool(runs[fingerprint].should_prune())

    return prune
