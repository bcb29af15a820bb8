"""Carry out the sweeps of our two sweepers: a grid of combinations, and a search by Optuna."""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any, cast

from omegaconf import OmegaConf

from harness.config.build import build, build_settings
from harness.config.record import pinned_variables, record_config, select_unresolved
from harness.errors import HarnessError, UsageError, require
from harness.hydra_app.grid import Exclusion, grid_combinations
from harness.hydra_app.hydra_state import inside_hydra
from harness.hydra_app.jobs import Jobs
from harness.hydra_app.launch import (
    launcher_record,
    launcher_settings,
    manifest_in,
    uses_stack_launcher,
)
from harness.store.manifest import Planned
from harness.store.old_records import derives_seeds
from harness.store.params import Config, flatten
from harness.sweeps.drift import require_same_settings, require_same_variables
from harness.sweeps.grouping import group_into_stacks
from harness.sweeps.plan import make_manifest, name_run, plan_runs
from harness.sweeps.search.optuna_search import Search
from harness.sweeps.search.space import Space
from harness.sweeps.search.storage import recorded_url
from harness.sweeps.search.study import check_search, open_storage

LISTED = 20
RECORDED = ("n_trials", "n_jobs", "sampler", "pruner", "storage", "study_name")


class Preview(Exception):
    """Raised instead of training, with the lines that show what a sweep would do."""


def run_grid(jobs: Jobs, arguments: Sequence[str]) -> list[list[str]]:
    """Plan and build the combinations of a grid, make the sweep's folder, and return them."""
    settings = jobs.sweeper
    every = grid_combinations(jobs.parsed(arguments), settings["zip"] or [])
    exclusion = Exclusion(settings["exclude"] or [])
    kept: list[list[str]] = []
    for lines in every if exclusion.entries else ():
        cfg = jobs.compose(len(kept), lines)
        choices = OmegaConf.to_container(cfg.hydra.runtime.choices)
        if not exclusion.excludes(flatten(record_config(cfg)), dict(choices)):  # type: ignore[arg-type]
            kept.append(lines)
    exclusion.check()
    kept = kept if exclusion.entries else every
    if settings["plan"]:
        raise Preview(preview_lines(jobs, kept, len(every) - len(kept)))
    planned = jobs.plan(kept, 0)
    if (there := manifest_in(jobs.folder)) is not None:
        require_same_settings(jobs.folder, there, planned)
    jobs.begin_with(planned)
    return kept


def preview_lines(jobs: Jobs, kept: Sequence[Sequence[str]], excluded: int) -> str:
    """Return what would run, as `key: value` lines."""
    runs: dict[str, Planned] = {}
    asked, invalid = 0, []
    for number, lines in enumerate(kept):
        try:
            found = plan_runs([jobs.request(number, lines)], single=False)
        except HarnessError as error:
            invalid.append(f"invalid: {str(error).replace(chr(10), ';')}")
            continue
        asked += sum(len(run.jobs) for run in found)
        for run in found:
            runs.setdefault(run.fingerprint, name_run(run, set()))
    works = list(group_into_stacks([*runs.values()], launcher_settings(jobs.config)))
    names = [f"run: {run.name}" for run in runs.values()][:LISTED]
    more = [f"and {len(runs) - LISTED} more runs"] if len(runs) > LISTED else []
    counts = {
        "runs": len(runs),
        "stacks": len(works),
        "duplicates": asked - len(runs),
        "excluded": excluded,
        "invalid": len(invalid),
    }
    return "\n".join([*(f"{k}: {v}" for k, v in counts.items()), *invalid, *names, *more])


class Trials:
    """The trials of a search as jobs of Hydra: composed, planned, and with their folders."""

    def __init__(self, jobs: Jobs, space: Space) -> None:
        self.jobs, self.space = jobs, space
        self.started: dict[int, Sequence[str]] = {}
        self._nodes = cache(lambda lines: jobs.compose(0, lines))

    def has(self, lines: Sequence[str], key: str) -> bool:
        """Return whether a key exists with these choices of plugins."""
        *parents, name = key.split(".")
        node: Any = self._nodes(tuple(lines))
        for parent in parents:
            node = node[parent] if OmegaConf.is_dict(node) and parent in node else None
        return OmegaConf.is_dict(node) and name in node

    def plan(self, derived: bool, trial: Any) -> tuple[Planned, ...]:
        """Return the runs of one trial, after Hydra's files of it are written."""
        with inside_hydra():
            lines = self.space.suggest(trial, self.has)
            found = plan_runs([self.jobs.request(trial.number, lines)], False, derived)
            runs = tuple(name_run(run, {*self.space.fixed}) for run in found)
            self.jobs.start(trial.number, lines)
        self.started[trial.number] = lines
        return runs

    def pinned(self) -> dict[str, str | None]:
        """Return the environment variables whose values are part of what is planned."""
        found: dict[str, str | None] = {}
        for number, lines in enumerate(self.space.probes(self.has)):
            found |= pinned_variables(self.jobs.compose(number, lines))
        return found

    def first(self) -> Planned:
        """Return a setting that can be trained; UsageError if no probe of the space can be."""
        good, wrong = None, ""
        for lines in self.space.probes(self.has):
            job = self.jobs.request(0, lines)
            try:
                build(job.config)
            except HarnessError as error:
                wrong = wrong or f"{error}\n  with {' '.join(lines)}"
            else:
                good = good or job
        if good is None:
            raise UsageError(wrong)
        return good


def _recorded(jobs: Jobs, trials: Trials, example: Config) -> dict[str, Any]:
    """Return what a manifest holds of a search; no text of the environment is in it."""
    plain, task, settings = build_settings(example), jobs.task, jobs.sweeper
    public = recorded_url(select_unresolved(jobs.config, "hydra.sweeper.storage"))
    recorded = {key: settings[key] for key in RECORDED} | {"storage": public}
    recorded |= {"pinned": trials.pinned() if task.pinned is None else dict(task.pinned)}
    recorded |= {"seed": plain.seed, "repeats": plain.repeats}
    recorded |= {"config_dir": task.config_dir, "config_name": task.config_name}
    check_search(recorded, len(plain.objectives))
    return recorded


def run_search(jobs: Jobs, arguments: Sequence[str]) -> Any:
    """Carry out a search, and return what Hydra gets to know of its trials."""
    text = "hydra/sweeper=optuna deals out stacks: it needs hydra/launcher=stack"
    require(uses_stack_launcher(jobs.config), text)
    url, loader = jobs.sweeper["storage"], cast(Any, jobs.context.config_loader)
    space = Space(jobs.parsed(arguments), loader.repository.group_exists)
    trials, engine = Trials(jobs, space), launcher_settings(jobs.config)
    example = trials.first().config
    recorded = _recorded(jobs, trials, example)
    launcher = launcher_record(jobs.config)
    asked = make_manifest(
        example, (), jobs.task.command, single=False, launcher=launcher, search=recorded
    )
    if (there := manifest_in(jobs.folder)) is not None:
        planned = (there.search or {}).get("pinned")
        require_same_variables(jobs.folder, planned, recorded["pinned"])
    storage = None
    if url is not None:  # a search that is there goes on as it was recorded
        storage = open_storage(url, there or asked, space)
    manifest = jobs.begin_with(asked)
    plan = partial(trials.plan, derives_seeds(str(manifest.numerics.get("harness"))))
    search = partial(Search, manifest, jobs.folder, storage, engine.width, space, plan)
    return jobs.finish(trials.started, search)
