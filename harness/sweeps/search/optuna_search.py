"""A search: Optuna says which settings to try next, and is told what they were worth."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
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
from harness.sweeps.search.storage import database_errors, open_journal
from harness.sweeps.search.study import best_trials, open_study

log = logging.getLogger(__name__)

SWEEP = "sweep"  # noted on a trial: whose it is
PLAIN: dict[str, Any] = {"sort_keys": False, "allow_unicode": True}
Plan = Callable[[Any], tuple[Planned, ...]]  # the runs of a trial: its suggestions composed


class Search:
    """Optuna's study as a source of runs. Trials are asked a stack at a time; there is no barrier.

    `plan` makes the runs of a trial; it raises HarnessError if they cannot be, which fails the
    trial alone. Without a `storage` the study is kept in the sweep's folder. TrackingError, here
    and later, when the storage is out of reach.
    """

    @database_errors()
    def __init__(
        self, manifest: Manifest, folder: Path, storage: Any, width: int, plan: Plan
    ) -> None:
        assert manifest.search is not None
        self.manifest, self._settings, self._plan = manifest, manifest.search, plan
        self._folder = folder
        self._study = open_study(manifest, storage or open_journal(folder / "trials.jsonl"))
        asked = self._settings["pruner"]
        self._pruned = None if asked is None else pruning_study(asked)
        per_worker = -(-self._settings["n_jobs"] // width)
        self._batch = per_worker * (1 if self._pruned is None else 2)  # half of them wait
        self._open: dict[int, list[str]] = {}  # trials that are not told yet: their fingerprints
        self._askers: dict[str, list[int]] = {}  # by fingerprint: the trials that wait for it
        self._ended: dict[str, RankedRun] = {}
        self._warned: set[str] = set()
        self._take_over()
        self._left = self._to_ask()
        self._study.stop = self._stop  # a sampler calls it when it has tried everything

    @property
    def left(self) -> int:
        """How many runs are still to be asked for."""
        return self._left * int(self._settings["repeats"])

    def known(self) -> list[Planned]:
        """All runs that this sweep has asked for, those of an earlier process too."""
        found = {run.fingerprint: run for trial in self._own() for run in self._runs(trial)}
        return [*found.values()]

    @database_errors()
    def ask(self) -> list[Planned]:
        """The runs of the next trials, as many as shall be trained together; none at the end."""
        runs: list[Planned] = []
        if self._settings["storage"]:  # another program may have asked meanwhile, too
            self._left = min(self._left, self._to_ask())
        while not runs and self._left > 0:
            for _ in range(min(self._batch, self._left)):
                runs += self._ask_one()
        return runs

    @database_errors()
    def tell(self, standing: RankedRun, result: Result) -> None:
        """A run has ended, or is found to have ended before."""
        fingerprint = standing.planned.fingerprint
        self._ended[fingerprint] = standing
        if self._pruned is not None:
            note_losses(self._pruned, result, build(standing.planned.config).epochs)
        for number in self._askers.pop(fingerprint, []):
            self._settle(number)

    @property
    def pruning(self) -> Pruning | None:
        """What a worker needs to prune by, as of now."""
        if self._pruned is None:
            return None
        trials = tuple(self._pruned.get_trials(deepcopy=False))
        return Pruning(self._settings["pruner"], trials)

    def close(self) -> None:
        """Write `optimization_results.yaml`, as people of Hydra's sweepers know it."""
        path = self._folder / "optimization_results.yaml"
        try:
            write_atomically(path, yaml.safe_dump(self._results(), **PLAIN).encode())
        except TrackingError as error:
            log.warning("%s is not written: %s", path, error)

    @database_errors()
    def _results(self) -> dict[str, Any]:
        top = [{"params": t.params, "values": t.values} for t in best_trials(self._study)]
        found: dict[str, Any] = {"name": "optuna", "study_name": self._study.study_name}
        if top and len(self._study.directions) == 1:
            found |= {"best_params": top[0]["params"], "best_value": top[0]["values"][0]}
        else:
            found["solutions"] = top
        return found

    def _stop(self) -> None:
        self._left = 0

    def _ask_one(self) -> tuple[Planned, ...]:
        trial = self._study.ask()
        self._left -= 1
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
        """Wait for a trial's runs, but for those that have ended: another trial had them, too."""
        asked = [run.fingerprint for run in runs]
        self._open[trial.number] = asked
        missing = [fingerprint for fingerprint in asked if fingerprint not in self._ended]
        for fingerprint in missing:
            self._askers.setdefault(fingerprint, []).append(trial.number)
        if not missing:
            self._settle(trial.number)

    def _refuse(self, trial: Any, reason: str) -> None:
        """A combination that cannot be: told as failed, and said once."""
        from optuna.trial import TrialState

        trial.set_user_attr(RUNS, [])
        self._study.tell(trial.number, state=TrialState.FAIL)
        what = reason.partition("\n")[0]
        if what not in self._warned:
            self._warned.add(what)
            log.warning("a trial cannot be, and counts as failed: %s", what)

    def _settle(self, number: int) -> None:
        """Tell the study of a trial, if all of its runs have ended."""
        from optuna.trial import TrialState

        asked = self._open[number]
        if any(fingerprint not in self._ended for fingerprint in asked):
            return
        del self._open[number]
        standings = [self._ended[fingerprint] for fingerprint in asked]
        value = leaderboard.setting_value(standings, self.manifest.objective)
        if value is not None:
            self._study.tell(number, value)
            return
        failed = any(s.outcome == "failed" for s in standings)
        several = len(self._study.directions) > 1  # which know no pruning
        bad = TrialState.FAIL if failed or several else TrialState.PRUNED  # worst, for a sampler
        self._study.tell(number, state=bad)

    def _runs(self, trial: Any) -> list[Planned]:
        return [planned_from_json(run) for run in trial.user_attrs[RUNS]]

    def _own(self) -> list[Any]:
        trials = self._study.get_trials(deepcopy=False)
        own = self.manifest.sweep_id
        return [t for t in trials if t.user_attrs.get(SWEEP) == own and RUNS in t.user_attrs]

    def _take_over(self) -> None:
        """Wait again for trials that a stopped process of this sweep has asked for."""
        for trial in self._own():
            if not trial.state.is_finished():
                self._await(trial, self._runs(trial))

    def _to_ask(self) -> int:
        """How many trials the study still lacks.

        One that was stopped before its runs were noted is as good as never asked.
        """
        wanted: int = self._settings["n_trials"]
        asked: int = sum(
            RUNS in trial.user_attrs and (trial.state.is_finished() or trial.number in self._open)
            for trial in self._study.get_trials(deepcopy=False)
        )
        return max(0, wanted - asked)
