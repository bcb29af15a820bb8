"""Prune runs of a search inside a stack, by Optuna's pruners."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.store.results import Result
from harness.sweeps.search.study import make_optuna_part
from harness.training.history import pruning_interval


@dataclass(frozen=True)
class Pruning:
    """The pruner of a search and its ended trials: by these a worker prunes its runs."""

    asked: Any  # a name, or {name: ..., option: value}
    trials: tuple[Any, ...]  # Optuna's own

    def pruner(self) -> Callable[[str, int, float], bool]:
        """Return prune(fingerprint, epoch, loss), which says whether a run should end here."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = pruning_study(self.asked)
        study.add_trials(self.trials)
        runs: dict[str, Any] = {}

        def prune(fingerprint: str, epoch: int, loss: float) -> bool:
            if fingerprint not in runs:
                runs[fingerprint] = study.ask()
            runs[fingerprint].report(loss, epoch)
            return bool(runs[fingerprint].should_prune())

        return prune


def pruning_study(pruner: Any) -> Any:
    """Return a study of its own for the losses on the way, which are minimised."""
    import optuna

    return optuna.create_study(direction="minimize", pruner=make_optuna_part("pruner", pruner))


def note_losses(study: Any, result: Result, epochs: int) -> None:
    """Add a run's losses to the study, at the epochs at which runs are pruned."""
    from optuna.trial import TrialState

    curve = result.curves.get("val/loss", result.curves.get("train/loss"))
    if result.outcome not in ("ok", "pruned") or curve is None:
        return
    trial, every = study.ask(), pruning_interval(epochs)
    points = range(every, min(epochs, result.last_epoch + 1), every)
    losses = np.interp([*points], curve.steps, curve.values)
    for epoch, loss in zip(points, losses, strict=True):
        trial.report(float(loss), epoch)
        trial.should_prune()  # some pruners keep a state that this call updates
    if result.outcome == "ok":
        study.tell(trial, float(curve.values[-1]))
    else:
        study.tell(trial, state=TrialState.PRUNED)
