"""Hydra's jobs as runs: what our sweeper and our launcher do, and what users of Hydra expect."""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus, configure_log, setup_globals
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from harness import sweeps
from harness.composer import composing, current
from harness.construct import allow
from harness.launching import JobFailed, Task, value_of
from harness.leaderboard import Standing
from harness.planning import Job, plan
from harness.progress import Progress
from harness.recording import part, recorded
from harness.sweeps import Summary

Combinations = Sequence[Sequence[str]]


class Jobs:
    """The jobs of one sweep: composed, planned, trained as stacks, reported to Hydra."""

    def __init__(self, context: HydraContext, task: Any, config: DictConfig) -> None:
        allow(isinstance(task, Task), "hydra/launcher=stack and hydra/sweeper=grid: harness only")
        self.context, self.task, self.config = context, task, config
        self.folder = Path(str(config.hydra.sweep.dir)).absolute()

    def begin(self, combinations: Combinations, first: int) -> None:
        """Plan them all, then make the sweep's folder with `multirun.yaml` and the manifest."""
        jobs = (
            Job(number, tuple(lines), recorded(self._compose(number, lines)))
            for number, lines in enumerate(combinations, first)
        )
        manifest = plan(jobs, command=self.task.command, single=False)
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / "multirun.yaml").exists():
            OmegaConf.save(self.config, self.folder / "multirun.yaml")
        sweeps.begin(self.folder, manifest)
        current(self.config)

    def launch(self, combinations: Combinations, first: int, stack_bytes: int) -> list[JobReturn]:
        """Train them as stacks; one JobReturn each, in order."""
        setup_globals()
        if not (self.folder / "manifest.json").exists() or first:
            self.begin(combinations, first)  # another's sweeper
        if not self.task.quiet:
            self._configure_log()
        for number, lines in enumerate(combinations, first):
            self._start(number, lines)
        with Progress(len(combinations), self.task.quiet) as progress:
            summary = sweeps.carry_out(self.folder, stack_bytes=stack_bytes, progress=progress)
        self.task.summary = summary
        ended = {number: s for s in summary.ranked for number in s.planned.jobs}
        returns = [
            self._end(number, lines, ended.get(number), summary)
            for number, lines in enumerate(combinations, first)
        ]
        current(self.config)
        return returns

    @property
    def _called_back(self) -> bool:
        return bool(self.context.callbacks.callbacks)

    def _configure_log(self) -> None:
        """As for any job of Hydra's, but with one file for all, in the sweep's folder."""
        config = deepcopy(self.config)
        _place(config, self.folder)
        configure_log(config.hydra.job_logging, config.hydra.verbose)

    def _compose(self, number: int, lines: Sequence[str]) -> DictConfig:
        """One job's config, as Hydra's own launcher would have it, and for `${hydra:…}`."""
        with composing(lines):
            cfg = self.context.config_loader.load_sweep_config(self.config, list(lines))
        with open_dict(cfg.hydra.job):
            cfg.hydra.job.id, cfg.hydra.job.num = str(number), number
        current(cfg)
        _place(cfg, self.folder / str(cfg.hydra.sweep.subdir))
        return cfg

    def _start(self, number: int, lines: Sequence[str]) -> None:
        """A job's `.hydra` folder and its callback, as Hydra's users know them."""
        if self.config.hydra.output_subdir is None and not self._called_back:
            return
        cfg = self._compose(number, lines)
        folder = Path(cfg.hydra.runtime.output_dir, cfg.hydra.output_subdir or "")
        folder.mkdir(parents=True, exist_ok=True)
        if cfg.hydra.output_subdir is not None:
            task, hydra = _parts(cfg)
            OmegaConf.save(task, folder / "config.yaml")
            OmegaConf.save(hydra, folder / "hydra.yaml")
            OmegaConf.save(cfg.hydra.overrides.task, folder / "overrides.yaml")
        self.context.callbacks.on_job_start(config=cfg, task_function=self.task)

    def _end(
        self, number: int, lines: Sequence[str], standing: Standing | None, summary: Summary
    ) -> JobReturn:
        """What Hydra is told of a job; the configs only for callbacks, for they are large."""
        job = JobReturn(overrides=lines, working_dir=str(Path.cwd()), task_name="harness")
        job.status = JobStatus.COMPLETED
        if standing is not None and standing.outcome == "failed":
            job.status, job.return_value = JobStatus.FAILED, JobFailed(standing.reason)
        elif standing is not None:
            job.return_value = value_of(standing, summary)
        if self._called_back:
            cfg = self._compose(number, lines)
            job.cfg, job.hydra_cfg = _parts(cfg)
            self.context.callbacks.on_job_end(config=cfg, job_return=job)
            job.cfg = job.hydra_cfg = None
        return job


def grid(context: HydraContext, arguments: Sequence[str]) -> list[list[str]]:
    """All combinations of what is swept, as Hydra's own sweeper has them."""
    parser = OverridesParser.create(config_loader=context.config_loader)
    overrides = parser.parse_overrides([*arguments])
    return BasicSweeper.split_arguments(overrides, max_batch_size=None)[0]


def _place(cfg: DictConfig, folder: Path) -> None:
    """Say where a job's files go."""
    with read_write(cfg.hydra.runtime), open_dict(cfg.hydra.runtime):
        cfg.hydra.runtime.output_dir = str(folder)


def _parts(cfg: DictConfig) -> tuple[DictConfig, DictConfig]:
    """The task's part of a config and Hydra's, sharing its nodes."""
    return part(cfg, (key for key in cfg if key != "hydra")), part(cfg, ["hydra"])
