"""Driving Hydra: compose what is asked for, and hand it to a run or a sweep."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus, configure_log, setup_globals
from hydra.errors import ConfigCompositionException, HydraException
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from harness import sweeps
from harness.composer import Composer, composer
from harness.errors import UsageError
from harness.fast_loader import FastLoader
from harness.leaderboard import Standing
from harness.planning import Job, plan
from harness.progress import Progress
from harness.recording import recorded
from harness.sweeps import Summary


class Task:
    """The task function that Hydra calls for a run, or for each job of a foreign launcher."""

    def __init__(self, command: Sequence[str], *, quiet: bool = False) -> None:
        self.command, self.quiet = tuple(command), quiet
        self.summary: Summary | None = None
        self.loader: FastLoader | None = None

    def __call__(self, cfg: DictConfig) -> float | None:
        """Train one composed config; the objective's value, or None if it did not end well."""
        hydra = HydraConfig.get()
        single = hydra.mode != RunMode.MULTIRUN
        number = 0 if single else int(hydra.job.num)
        job = Job(number, tuple(hydra.overrides.task), recorded(cfg))
        manifest = plan([job], command=self.command, single=single)
        directory = Path(hydra.runtime.output_dir if single else hydra.sweep.dir).absolute()
        sweeps.begin(directory, manifest)
        only = {run.fingerprint for run in manifest.runs}
        with Progress(1, self.quiet or not single) as progress:
            summary = sweeps.carry_out(directory, only=only, whole=single, progress=progress)
        self.summary = summary if single else None
        return value_of(summary.ranked[0], summary) if summary.ranked else None

    def __getstate__(self) -> dict[str, Any]:
        """What travels to another process: not what belongs to this one."""
        return vars(self) | {"summary": None, "loader": None}


def value_of(standing: Standing, summary: Summary) -> float | None:
    """The objective's value of one run, for sweepers that optimise it."""
    metric = summary.manifest.objective["metric"]
    return standing.metrics.get(metric) if standing.outcome == "ok" else None


def launch(
    overrides: Sequence[str],
    *,
    multirun: bool,
    config_dir: str | None = None,
    config_name: str = "config",
    quiet: bool = False,
) -> Summary:
    """Compose and carry out a run or a sweep; nothing is created before all of it is valid.

    `quiet` is for callers from Python: no progress, and their logging is left alone.
    """
    task, lines = Task(overrides, quiet=quiet), list(overrides)
    with composer(config_dir) as hydra:
        if multirun or _asks_for_a_sweep(hydra, config_name, lines):
            return _sweep(hydra, config_name, task, lines)
        assert hydra.composed is not None
        job = Job(0, tuple(lines), recorded(hydra.composed))
        plan([job], command=lines, single=True)
        hydra.run(config_name, task, lines, with_log_configuration=not quiet)
    assert task.summary is not None
    return task.summary


def _asks_for_a_sweep(hydra: Composer, config_name: str, lines: list[str]) -> bool:
    """Compose as a single run; a config may ask for a sweep by itself: `hydra.mode=MULTIRUN`."""
    try:
        cfg = hydra.compose_config(config_name, lines, RunMode.RUN, with_log_configuration=False)
        sweep: bool = cfg.hydra.mode == RunMode.MULTIRUN
    except ConfigCompositionException:
        sweep = hydra.get_mode(config_name, lines) == RunMode.MULTIRUN
        if not sweep:
            raise
    if sweep:
        hydra.composed = None
    return sweep


def _sweep(hydra: Composer, config_name: str, task: Task, lines: list[str]) -> Summary:
    lines = [*lines, "hydra.mode=MULTIRUN"]  # as Hydra's own -m does: jobs see it in their config
    cfg = hydra.compose_config(config_name, lines, RunMode.MULTIRUN, with_log_configuration=False)
    HydraConfig.instance().set_config(cfg)
    directory = Path(str(cfg.hydra.sweep.dir)).absolute()
    hydra.multirun(config_name, task, lines, with_log_configuration=not task.quiet)
    return task.summary or sweeps.carry_out(directory)  # a foreign launcher leaves the end to us


class Grid:
    """All combinations of what is swept, each built before the first is trained."""

    def __init__(
        self, context: HydraContext, task: Any, config: DictConfig, options: dict[str, Any]
    ) -> None:
        self.context, self.task, self.config, self.options = context, task, config, options
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=context, task_function=task, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Launch all combinations at once; Hydra's returns, a list of one batch."""
        for key in ("zip", "exclude", "plan"):
            if self.options[key]:
                raise UsageError(f"hydra.sweeper.{key}: not available yet")
        lines = [f"{k}={v}" for k, v in self.options["params"].items()] + arguments
        parser = OverridesParser.create(config_loader=self.context.config_loader)
        combinations = BasicSweeper.split_arguments(parser.parse_overrides(lines), None)[0]
        begin(self.context, self.task, self.config, combinations, 0)
        return [self.launcher.launch(combinations, initial_job_idx=0)]


def loader_of(context: HydraContext, task: Any) -> FastLoader:
    """One fast loader for all of a sweep, so that each set of group choices is composed once."""
    if not isinstance(task, Task):
        return FastLoader(context.config_loader)
    if task.loader is None:
        task.loader = FastLoader(context.config_loader)
    return task.loader


def begin(
    context: HydraContext,
    task: Any,
    config: DictConfig,
    combinations: Sequence[Sequence[str]],
    first: int,
) -> None:
    """Plan a sweep, then make its folder with `multirun.yaml` and the manifest."""
    loader = loader_of(context, task)
    jobs = (
        Job(i, tuple(lines), recorded(loader.load_sweep_config(config, list(lines))))
        for i, lines in enumerate(combinations, first)
    )
    command = task.command if isinstance(task, Task) else ()
    manifest = plan(jobs, command=command, single=False)
    folder = Path(str(config.hydra.sweep.dir)).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "multirun.yaml").exists():
        OmegaConf.save(config, folder / "multirun.yaml")
    sweeps.begin(folder, manifest)


class Jobs:
    """What the stack launcher does with Hydra's jobs: their folders, callbacks and returns."""

    def __init__(
        self, context: HydraContext, task: Any, config: DictConfig, options: dict[str, Any]
    ) -> None:
        if not isinstance(task, Task):
            raise UsageError("hydra/launcher=stack trains harness runs only")
        _allow(options)
        self.context, self.task, self.config, self.options = context, task, config, options
        self.loader = loader_of(context, task)

    def launch(self, combinations: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
        """Train all jobs as stacks; one JobReturn each, in order."""
        setup_globals()
        if not self.task.quiet:
            configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        folder = Path(str(self.config.hydra.sweep.dir)).absolute()
        if not (folder / "manifest.json").exists() or first:
            begin(self.context, self.task, self.config, combinations, first)  # another's sweeper
        for number, lines in enumerate(combinations, first):
            self._start(number, list(lines))
        with Progress(len(combinations), self.task.quiet) as progress:
            stack_bytes = self.options["stack_bytes"]
            summary = sweeps.carry_out(folder, stack_bytes=stack_bytes, progress=progress)
        self.task.summary = summary
        ended = {number: s for s in summary.ranked for number in s.planned.jobs}
        return [
            self._end(number, list(lines), ended.get(number), summary)
            for number, lines in enumerate(combinations, first)
        ]

    @property
    def _called_back(self) -> bool:
        return bool(self.context.callbacks.callbacks)

    def _compose(self, number: int, lines: list[str]) -> DictConfig:
        cfg: DictConfig = self.loader.load_sweep_config(self.config, lines)
        with open_dict(cfg.hydra.job):
            cfg.hydra.job.id, cfg.hydra.job.num = str(number), number
        HydraConfig.instance().cfg = cast(
            Any, cfg
        )  # not set_config, which copies the whole config
        output = Path(str(cfg.hydra.sweep.dir), str(cfg.hydra.sweep.subdir)).absolute()
        with read_write(cfg.hydra.runtime), open_dict(cfg.hydra.runtime):
            cfg.hydra.runtime.output_dir = str(output)
        return cfg

    def _start(self, number: int, lines: list[str]) -> None:
        """A job's `.hydra` folder and its callback, as Hydra's users know them."""
        if self.config.hydra.output_subdir is None and not self._called_back:
            return
        cfg = self._compose(number, lines)
        if cfg.hydra.output_subdir is not None:
            folder = Path(cfg.hydra.runtime.output_dir, cfg.hydra.output_subdir)
            folder.mkdir(parents=True, exist_ok=True)
            task, hydra = _parts(cfg)
            OmegaConf.save(task, folder / "config.yaml")
            OmegaConf.save(hydra, folder / "hydra.yaml")
            OmegaConf.save(cfg.hydra.overrides.task, folder / "overrides.yaml")
        self.context.callbacks.on_job_start(config=cfg, task_function=self.task)

    def _end(
        self, number: int, lines: list[str], standing: Standing | None, summary: Summary
    ) -> JobReturn:
        """What Hydra is told of a job; the configs only for callbacks, for they are large."""
        job = JobReturn(overrides=lines, working_dir=str(Path.cwd()), task_name="harness")
        job.status = JobStatus.COMPLETED
        if standing is not None and standing.outcome == "failed":
            job.status, job.return_value = JobStatus.FAILED, HydraException(standing.reason)
        elif standing is not None:
            job.return_value = value_of(standing, summary)
        if self._called_back:
            cfg = self._compose(number, lines)
            job.cfg, job.hydra_cfg = _parts(cfg)
            self.context.callbacks.on_job_end(config=cfg, job_return=job)
            job.cfg = job.hydra_cfg = None
        return job


def _allow(options: dict[str, Any]) -> None:
    """UsageError for a launcher option that is out of range, or not available yet."""
    for key, only in (("engine", "serial"), ("workers", None), ("address", None)):
        if options[key] != only:
            text = "null" if only is None else only
            raise UsageError(f"hydra.launcher.{key}={options[key]}: not available yet; {text} is")
    if options["stack_bytes"] < 1:
        raise UsageError(f"hydra.launcher.stack_bytes={options['stack_bytes']}: at least 1")


def _parts(cfg: DictConfig) -> tuple[DictConfig, DictConfig]:
    """The task's part of a config and Hydra's, sharing its nodes."""
    return _view(cfg, [key for key in cfg if key != "hydra"]), _view(cfg, ["hydra"])


def _view(cfg: DictConfig, keys: list[Any]) -> DictConfig:
    view = DictConfig({})
    content: Any = view._content
    content.update({key: cfg._get_node(key) for key in keys})
    return view
