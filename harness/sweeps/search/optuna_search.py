"""Search with Optuna: ask its study for trials, and report the values of their runs to it."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from math import inf
from pathlib import Path
from typing import Any

import yaml

from harness.analysis import leaderboard
from harness.analysis.leaderboard import RankedRun
from harness.config.build import build
from harness.errors import HarnessError, TrackingError
from harness.store.files import write_atomically
from harness.store.manifest import Manifest, Planned, planned_from_json
from harness.store.results import Result
from harness.store.trials import RUNS
from harness.sweeps.search.pruning import Pruning, note_losses, pruning_study
from harness.sweeps.search.space import Space
from harness.sweeps.search.storage import database_errors, open_journal
from harness.sweeps.search.study import best_trials, open_study, require_same_space

log = logging.getLogger(__name__)

SWEEP = "sweep"  # the attribute of a trial that holds the id of its sweep
PLAIN: dict[str, Any] = {"sort_keys": False, "allow_unicode": True}
Plan = Callable[[Any], tuple[Planned, ...]]  # composes a trial and returns its runs


class Search:
    """Optuna's study as a source of runs, asked for a stack of trials at a time.

    `plan` makes the runs of a trial; if it raises HarnessError, that trial alone fails. Without a
    `storage` the study is kept in the sweep's folder. All methods raise TrackingError when the
    storage is out of reach.
    """

    @database_errors()
    def __init__(
        self,
        manifest: Manifest,
        folder: Path,
        storage: Any,
        width: int,
        space: Space,
        plan: Plan,
    ) -> None:
        assert manifest.search is not None
        self.manifest, self._settings, self._plan = manifest, manifest.search, plan
        self._folder = folder
        self._study = open_study(manifest, storage or open_journal(folder / "trials.jsonl"))
        require_same_space(self._study, space)  # a preset may have changed
        asked = self._settings["pruner"]
        self._pruned = None if asked is None else pruning_study(asked)
        per_worker = -(-self._settings["n_jobs"] // width)
        self._batch = per_worker * (1 if self._pruned is None else 2)  # half of them wait
        self._open: dict[int, list[str]] = {}  # fingerprints of each trial without a value yet
        self._askers: dict[str, list[int]] = {}  # by fingerprint: the trials that wait for it
        self._ended: dict[str, RankedRun] = {}
        self._warned: set[str] = set()
        self._take_over()
        self._remaining = self._to_ask()
        if not self._remaining and not self._own():
            name, count = self._study.study_name, self._settings["n_trials"]
            text = "study %s has its %d trials already: a greater hydra.sweeper.n_trials adds more"
            log.warning(text, name, count)
        self._study.stop = self._stop  # a sampler calls it when it has tried everything

    @property
    def remaining(self) -> int:
        """The number of runs that are still to be asked for."""
        return self._remaining * int(self._settings["repeats"])

    def known(self) -> list[Planned]:
        """Return all runs that this sweep has asked for, also in an earlier process."""
        found = {run.fingerprint: run for trial in self._own() for run in self._runs(trial)}
        return [*found.values()]

    @database_errors()
    def ask(self) -> list[Planned]:
        """Return the runs of the next trials, enough to train together; none at the end."""
        runs: list[Planned] = []
        if self._settings["storage"]:  # another program may have asked, too
            self._remaining = min(self._remaining, self._to_ask())
        while not runs and self._remaining > 0:
            for _ in range(min(self._batch, self._remaining)):
                runs += self._ask_one()
        return runs

    @database_errors()
    def tell(self, ranked: RankedRun, result: Result) -> None:
        """Report a run that has ended, in this process or an earlier one."""
        fingerprint = ranked.planned.fingerprint
        self._ended[fingerprint] = ranked
        if self._pruned is not None:
            note_losses(self._pruned, result, build(ranked.planned.config).epochs)
        for number in self._askers.pop(fingerprint, []):
            self._settle(number)

    @property
    def pruning(self) -> Pruning | None:
        """The data by which a worker prunes, as of now."""
        if self._pruned is None:
            return None
        trials = tuple(self._pruned.get_trials(deepcopy=False))
        return Pruning(self._settings["pruner"], trials)

    def close(self) -> None:
        """Write `optimization_results.yaml`, as Hydra's own search sweepers do."""
        path = self._folder / "optimization_results.yaml"
        try:
            write_atomically(path, yaml.safe_dump(self._results(), **PLAIN).encode())
        except TrackingError as error:
            log.warning("%s is not written: %s", path, error)

    @database_errors()
    def _results(self) -> dict[str, Any]:
        best = best_trials(self._study)
        found: dict[str, Any] = {"name": "optuna", "study_name": self._study.study_name}
        if single := len(self._study.directions) == 1:
            best.sort(key=self._judged_loss)  # several trials may have the best value
        top = [{"params": t.params, "values": t.values} for t in best]
        if top and single:
            found |= {"best_params": top[0]["params"], "best_value": top[0]["values"][0]}
        else:
            found["solutions"] = top
        return found

    def _judged_loss(self, trial: Any) -> float:
        """Return the mean judged loss of a trial's runs; infinity for one of another sweep."""
        names = [run.fingerprint for run in self._runs(trial)] if RUNS in trial.user_attrs else []
        ended = [self._ended[name] for name in names if name in self._ended]
        return leaderboard.judged_loss(ended) if ended else inf

    def _stop(self) -> None:
        self._remaining = 0

    def _ask_one(self) -> tuple[Planned, ...]:
        trial = self._study.ask()
        self._remaining -= 1
        trial.set_user_attr(SWEEP, self.manifest.sweep_id)
        try:
            runs = self._plan(trial)
        except HarnessError as error:
            self._refuse(trial, str(error))
            return ()
        trial.set_user_attr(RUNS, [asdict(run) for run in runs])
        self._await(trial, runs)
        return runs

    def _await(self, trial: Any, runs: Sequence[Planned]) -> None:
        """Wait for the runs of a trial that no other trial has had before."""
        asked = [run.fingerprint for run in runs]
        self._open[trial.number] = asked
        missing = [fingerprint for fingerprint in asked if fingerprint not in self._ended]
        for fingerprint in missing:
            self._askers.setdefault(fingerprint, []).append(trial.number)
        if not missing:
            self._settle(trial.number)

    def _refuse(self, trial: Any, reason: str) -> None:
        """Report a trial that cannot be built as failed, and warn of each reason once."""
        from optuna.trial import TrialState

        trial.set_user_attr(RUNS, [])
        self._study.tell(trial.number, state=TrialState.FAIL)
        line = reason.partition("\n")[0]
        if line not in self._warned:
            self._warned.add(line)
            log.warning("a trial cannot be, and counts as failed: %s", line)

    def _settle(self, number: int) -> None:
        """Report the value of a trial to the study, if all of its runs have ended."""
        from optuna.trial import TrialState

        asked = self._open[number]
        if any(fingerprint not in self._ended for fingerprint in asked):
            return
        del self._open[number]
        runs = [self._ended[fingerprint] for fingerprint in asked]
        value = leaderboard.setting_value(runs, self.manifest.objective)
        if value is not None:
            self._study.tell(number, value)
            return
        failed = any(run.outcome == "failed" for run in runs)
        several = len(self._study.directions) > 1  # Optuna prunes for one objective alone
        # A sampler avoids what was pruned (here: diverged), and learns nothing from a failure.
        self._study.tell(number, state=TrialState.FAIL if failed or several else TrialState.PRUNED)

    def _runs(self, trial: Any) -> list[Planned]:
        return [planned_from_json(run) for run in trial.user_attrs[RUNS]]

    def _own(self) -> list[Any]:
        trials = self._study.get_trials(deepcopy=False)
        own = self.manifest.sweep_id
        return [t for t in trials if t.user_attrs.get(SWEEP) == own and RUNS in t.user_attrs]

    def _take_over(self) -> None:
        """Wait again for the trials that a stopped process of this sweep has asked for."""
        for trial in self._own():
            if not trial.state.is_finished():
                self._await(trial, self._runs(trial))

    def _to_ask(self) -> int:
        """Return how many trials the study still lacks.

        A trial that was stopped before its runs were recorded does not count.
        """
        wanted: int = self._settings["n_trials"]
        asked: int = sum(
            RUNS in trial.user_attrs and (trial.state.is_finished() or trial.number in self._open)
            for trial in self._study.get_trials(deepcopy=False)
        )
        return max(0, wanted - asked)
