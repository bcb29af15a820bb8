"""Carry out the jobs of a Hydra sweep as runs, with the files and callbacks that Hydra has."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn, JobStatus, configure_log, setup_globals
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict

from harness.analysis.leaderboard import RankedRun, setting_value
from harness.config.record import record_config, select_keys
from harness.errors import require
from harness.hydra_app.app import config_errors, set_current_config, set_output_folder
from harness.hydra_app.hydra_state import outside_hydra
from harness.hydra_app.launch import JobFailed, Task, launcher_record
from harness.hydra_app.output_files import Outputs
from harness.store.files import write_atomically
from harness.store.manifest import Manifest, Planned
from harness.sweeps import execute
from harness.sweeps.plan import plan, requested_run
from harness.sweeps.progress import Progress

if TYPE_CHECKING:
    from harness.sweeps.search.optuna_search import Search

Combinations = Sequence[Sequence[str]]


class Jobs:
    """The jobs of one sweep, which our sweepers and our launcher compose, plan and carry out."""

    def __init__(self, context: HydraContext, task: Any, config: DictConfig) -> None:
        require(
            isinstance(task, Task), "hydra/launcher=stack and hydra/sweeper=grid: harness only"
        )
        self.context, self.task, self.config = context, task, config
        self.folder = Path(str(config.hydra.sweep.dir)).absolute()
        self._outputs = Outputs()

    @property
    def sweeper(self) -> dict[str, Any]:
        """The settings in `hydra.sweeper`."""
        settings = OmegaConf.to_container(self.config.hydra.sweeper, resolve=True)
        return cast(dict[str, Any], settings)

    def parsed(self, arguments: Sequence[str]) -> list[Override]:
        """Return the overrides of `hydra.sweeper.params` and of the command line, parsed."""
        swept = self.sweeper["params"] or {}
        texts = {key: "null" if value is None else value for key, value in swept.items()}
        lines = [*(f"{key}={text}" for key, text in texts.items()), *arguments]
        parser = OverridesParser.create(config_loader=self.context.config_loader)
        return list(parser.parse_overrides(lines))

    def begin(self, combinations: Combinations, first: int) -> None:
        """Plan all jobs, then make the sweep's folder with `multirun.yaml` and the manifest."""
        self.begin_with(self.plan(combinations, first))

    def plan(self, combinations: Combinations, first: int) -> Manifest:
        """Return the manifest of these jobs, without writing it."""
        return plan(
            (self.request(number, lines) for number, lines in enumerate(combinations, first)),
            command=self.task.command,
            single=False,
            launcher=launcher_record(self.config),
        )

    def begin_with(self, manifest: Manifest) -> Manifest:
        """Make the sweep's folder, or join the sweep that is in it; return its manifest."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / "multirun.yaml").exists():
            text = OmegaConf.to_yaml(self.config)
            write_atomically(self.folder / "multirun.yaml", text.encode())
        set_current_config(self.config)
        return execute.begin_sweep(self.folder, manifest)

    def request(self, number: int, lines: Sequence[str]) -> Planned:
        """Compose job `number` and return it as a run to plan."""
        return requested_run(number, lines, record_config(self.compose(number, lines)))

    def launch(self, combinations: Combinations, first: int) -> list[JobReturn]:
        """Train the jobs as stacks, and return a JobReturn for each, in order."""
        setup_globals()
        if not (self.folder / "manifest.json").exists() or first:
            self.begin(combinations, first)  # a foreign sweeper has not planned them
        for number, lines in enumerate(combinations, first):
            self.start(number, lines)
        return self.finish(dict(enumerate(combinations, first)), None)

    def finish(
        self, started: dict[int, Sequence[str]], search: Callable[[], "Search"] | None
    ) -> list[JobReturn]:
        """Carry out the sweep, and return what Hydra gets to know of each job."""
        if not self.task.quiet:
            self._configure_log()
        with outside_hydra(), Progress(len(started), self.task.quiet) as progress:
            summary = execute.carry_out(
                self.folder,
                search=search,
                progress=progress,
                accept_drift=self.task.accept_drift,
            )
        self.task.summary = summary
        ended: dict[int, list[RankedRun]] = {}
        for run in summary.ranked:
            for number in run.planned.jobs:
                ended.setdefault(number, []).append(run)
        objective = summary.manifest.objective
        returns = [
            self._end(number, lines, ended.get(number, []), objective)
            for number, lines in started.items()
        ]
        set_current_config(self.config)
        return returns

    @property
    def _called_back(self) -> bool:
        return bool(self.context.callbacks.callbacks)

    def _configure_log(self) -> None:
        """Configure logging as for a job of Hydra, with one file in the sweep's folder for all."""
        config = deepcopy(self.config)
        set_output_folder(config, self.folder)
        configure_log(config.hydra.job_logging, config.hydra.verbose)

    def compose(self, number: int, lines: Sequence[str]) -> DictConfig:
        """Compose the config of a job as Hydra's launcher does, and let `${hydra:…}` refer to it.

        The next job shares its `hydra` node, unless there are callbacks, which may keep it.
        """
        loader: Any = self.context.config_loader
        load = loader.load_sweep_config if self._called_back else loader.lend_sweep_config
        with config_errors(lines):
            cfg: DictConfig = load(self.config, list(lines))
        with open_dict(cfg.hydra.job):
            cfg.hydra.job.id, cfg.hydra.job.num = str(number), number
        set_current_config(cfg)
        set_output_folder(cfg, self.folder / str(cfg.hydra.sweep.subdir))
        return cfg

    def start(self, number: int, lines: Sequence[str]) -> None:
        """Write a job's `.hydra` folder and call `on_job_start`, as Hydra does."""
        if self.config.hydra.output_subdir is None and not self._called_back:
            return
        cfg = self.compose(number, lines)
        folder = Path(cfg.hydra.runtime.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        if cfg.hydra.output_subdir is not None:
            self._outputs.write(folder / cfg.hydra.output_subdir, cfg)
        self.context.callbacks.on_job_start(config=cfg, task_function=self.task)

    def _end(
        self,
        number: int,
        lines: Sequence[str],
        runs: list[RankedRun],
        objective: Mapping[str, Any],
    ) -> JobReturn:
        """Return the outcome of a job for Hydra, after calling `on_job_end`."""
        job = JobReturn(overrides=lines, working_dir=str(Path.cwd()), task_name="harness")
        job.status = JobStatus.COMPLETED
        if failed := [run for run in runs if run.outcome == "failed"]:
            job.status, job.return_value = JobStatus.FAILED, JobFailed(failed[0].reason)
        else:
            job.return_value = setting_value(runs, objective)
        if self._called_back:
            cfg = self.compose(number, lines)
            job.cfg = select_keys(cfg, (key for key in cfg if key != "hydra"))
            job.hydra_cfg = select_keys(cfg, ["hydra"])
            self.context.callbacks.on_job_end(config=cfg, job_return=job)
            job.cfg = job.hydra_cfg = None  # kept, they cost 143 kB of memory a job
        return job
