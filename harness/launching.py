"""Driving Hydra: compose what is asked for, and hand it to a run or a sweep."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra._internal.config_search_path_impl import ConfigSearchPathImpl
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus, configure_log, setup_globals
from hydra.errors import HydraException
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from harness import sweeps
from harness.config import GROUPS
from harness.errors import UsageError
from harness.fast_loader import FastLoader
from harness.planning import Job, plan
from harness.progress import Progress
from harness.recording import recorded
from harness.registry import names
from harness.sweeps import Summary

PACKAGE = Path(__file__).parent
CONF = PACKAGE / "conf" if (PACKAGE / "conf").is_dir() else PACKAGE.parent / "conf"
SWEPT = ("hydra.sweep.dir",)


def user_conf() -> Path | None:
    """The folder `conf` where the command was started, unless it is our own."""
    here = Path.cwd() / "conf"
    return here if here.is_dir() and not here.samefile(CONF) else None


def shadowed(folder: Path) -> list[str]:
    """A user's config files that a plugin's or our own option of the same name hides."""
    found = []
    for kind in GROUPS:
        ours = {path.stem for path in (CONF / kind).glob("*.yaml")}
        for path in sorted((folder / kind).glob("*.yaml")):
            if path.stem in ours.union(names(kind)):
                found.append(str(path))
    return found


class Task:
    """The task function that Hydra calls for a run, or for each job of a foreign launcher."""

    def __init__(self, command: Sequence[str], *, quiet: bool = False) -> None:
        self.command, self.quiet = tuple(command), quiet
        self.summary: Summary | None = None

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
        return value_of(summary, manifest.runs[0].fingerprint)

    def __getstate__(self) -> dict[str, Any]:
        """What travels to another process: not how a run here ended."""
        return vars(self) | {"summary": None}


def value_of(summary: Summary, fingerprint: str) -> float | None:
    """The objective's value of one run, for sweepers that optimise it."""
    metric = summary.manifest.objective["metric"]
    for s in summary.ranked:
        if s.planned.fingerprint == fingerprint and s.outcome == "ok":
            return s.metrics.get(metric)
    return None


class Composer(Hydra):
    """Hydra, remembering the config it composed, so that it is composed once."""

    composed: DictConfig | None = None

    def compose_config(self, *arguments: Any, **options: Any) -> DictConfig:
        if self.composed is None:
            self.composed = super().compose_config(*arguments, **options)
        elif options.get("with_log_configuration"):
            hydra = self.composed.hydra
            configure_log(hydra.hydra_logging, hydra.verbose)
        return self.composed


@contextmanager
def composer(config_dir: str | None = None) -> Iterator[Composer]:
    """A Hydra for our configs, and the user's; leaves no global state behind."""
    before = HydraConfig.instance().cfg
    GlobalHydra.instance().clear()
    try:
        yield Composer.create_main_hydra2("harness", search_path(config_dir))  # type: ignore[misc]
    finally:
        GlobalHydra.instance().clear()
        HydraConfig.instance().cfg = before


def search_path(config_dir: str | None) -> ConfigSearchPathImpl:
    """Our conf, plugins, the user's `./conf`, then `--config-dir`."""
    path = create_config_search_path(f"file://{CONF}")
    if config_dir is not None:
        folder = Path(config_dir).absolute()
        if not folder.is_dir():
            raise UsageError(f"--config-dir {config_dir}: there is no such folder")
        path.prepend("command-line", f"file://{folder}", SearchPathQuery(provider="schema"))
    return path


def launch(
    overrides: Sequence[str],
    *,
    multirun: bool,
    config_dir: str | None = None,
    config_name: str = "config",
    quiet: bool = False,
) -> Summary:
    """Compose and carry out a run or a sweep; nothing is created before all of it is valid."""
    from hydra import version

    version.setbase("1.3")
    task, lines = Task(overrides, quiet=quiet), list(overrides)
    with composer(config_dir) as hydra:
        mode = RunMode.MULTIRUN if multirun else _mode(config_dir, config_name, lines)
        if mode == RunMode.MULTIRUN:
            hydra.compose_config(config_name, lines, RunMode.MULTIRUN, with_log_configuration=False)
            directory = _folder(hydra, "sweep.dir")
            hydra.multirun(config_name, task, lines, with_log_configuration=not quiet)
            return task.summary or sweeps.carry_out(directory)
        cfg = hydra.compose_config(config_name, lines, RunMode.RUN, with_log_configuration=False)
        plan([Job(0, tuple(lines), recorded(cfg))], command=lines, single=True)
        hydra.run(config_name, task, lines, with_log_configuration=not quiet)
        assert task.summary is not None
        return task.summary


def _mode(config_dir: str | None, config_name: str, lines: list[str]) -> RunMode:
    """A config can ask for a sweep by itself: `hydra.mode=MULTIRUN`."""
    asked = any(re.match(r"\+*hydra\.mode=", line) for line in lines)
    if not asked:
        return RunMode.RUN
    with composer(config_dir) as hydra:
        mode = hydra.get_mode(config_name, lines)
    return RunMode.MULTIRUN if mode == RunMode.MULTIRUN else RunMode.RUN


def _folder(hydra: Composer, key: str) -> Path:
    assert hydra.composed is not None
    HydraConfig.instance().set_config(hydra.composed)
    return Path(str(OmegaConf.select(hydra.composed.hydra, key))).absolute()


class Grid:
    """All combinations of what is swept, each built before the first is trained."""

    def __init__(
        self, context: HydraContext, task: Any, config: DictConfig, options: dict[str, Any]
    ) -> None:
        self.context, self.task, self.config, self.options = context, task, config, options
        context.config_loader = FastLoader(context.config_loader)  # type: ignore[assignment]
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=context, task_function=task, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        for key in ("zip", "exclude", "plan"):
            if self.options[key]:
                raise UsageError(f"hydra.sweeper.{key}: not available yet")
        lines = [f"{k}={v}" for k, v in self.options["params"].items()] + arguments
        parser = OverridesParser.create(config_loader=self.context.config_loader)
        combinations = BasicSweeper.split_arguments(parser.parse_overrides(lines), None)[0]
        begin(self.context, self.task, self.config, combinations, 0)
        return [self.launcher.launch(combinations, initial_job_idx=0)]


def begin(
    context: HydraContext,
    task: Any,
    config: DictConfig,
    combinations: Sequence[Sequence[str]],
    first: int,
) -> None:
    """Plan a sweep, then make its folder with `multirun.yaml` and the manifest."""
    loader = context.config_loader
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
        if options["engine"] != "serial":
            raise UsageError(f"hydra.launcher.engine={options['engine']}: not available yet; serial is")
        if options["workers"] is not None or options["address"] is not None:
            raise UsageError("hydra.launcher.workers and address: not available yet; leave them null")
        if options["stack_bytes"] < 1:
            raise UsageError(f"hydra.launcher.stack_bytes={options['stack_bytes']}: at least 1")
        self.context, self.task, self.config, self.options = context, task, config, options

    def launch(self, combinations: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
        """Train all jobs as stacks; one JobReturn each, in order."""
        setup_globals()
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        folder = Path(str(self.config.hydra.sweep.dir)).absolute()
        if not (folder / "manifest.json").exists() or first:
            begin(self.context, self.task, self.config, combinations, first)  # another's sweeper
        returns = [self._start(first + i, list(lines)) for i, lines in enumerate(combinations)]
        with Progress(len(combinations), self.task.quiet) as progress:
            summary = sweeps.carry_out(
                folder, stack_bytes=self.options["stack_bytes"], progress=progress
            )
        self.task.summary = summary
        values = {" ".join(s.planned.overrides): s for s in summary.ranked}
        for job in returns:
            self._end(job, values.get(" ".join(job.overrides or ())), summary)
        return returns

    def _compose(self, number: int, lines: list[str]) -> DictConfig:
        cfg: DictConfig = self.context.config_loader.load_sweep_config(self.config, lines)
        with open_dict(cfg.hydra.job):
            cfg.hydra.job.id, cfg.hydra.job.num = str(number), number
        HydraConfig.instance().cfg = cfg  # not set_config, which copies the whole config
        output = Path(str(cfg.hydra.sweep.dir), str(cfg.hydra.sweep.subdir)).absolute()
        with read_write(cfg.hydra.runtime), open_dict(cfg.hydra.runtime):
            cfg.hydra.runtime.output_dir = str(output)
        return cfg

    def _start(self, number: int, lines: list[str]) -> JobReturn:
        """A job's `.hydra` folder and its callbacks, as Hydra's users know them."""
        job = JobReturn(overrides=lines, working_dir=os.getcwd(), task_name="harness")  # noqa: PTH109
        if self.config.hydra.output_subdir is None and not self.context.callbacks.callbacks:
            return job
        cfg = self._compose(number, lines)
        task, hydra = _view(cfg, [k for k in cfg if k != "hydra"]), _view(cfg, ["hydra"])
        if cfg.hydra.output_subdir is not None:
            folder = Path(cfg.hydra.runtime.output_dir, cfg.hydra.output_subdir)
            folder.mkdir(parents=True, exist_ok=True)
            OmegaConf.save(task, folder / "config.yaml")
            OmegaConf.save(hydra, folder / "hydra.yaml")
            OmegaConf.save(cfg.hydra.overrides.task, folder / "overrides.yaml")
        self.context.callbacks.on_job_start(config=cfg, task_function=self.task)
        return job

    def _end(self, job: JobReturn, standing: Any, summary: Summary) -> None:
        failed = standing is not None and standing.outcome == "failed"
        job.status = JobStatus.FAILED if failed else JobStatus.COMPLETED
        job.return_value = (
            HydraException(standing.reason)
            if failed
            else standing and value_of(summary, standing.planned.fingerprint)
        )
        if self.context.callbacks.callbacks:
            self.context.callbacks.on_job_end(config=self.config, job_return=job)


def _view(cfg: DictConfig, keys: list[Any]) -> DictConfig:
    """These top-level keys of a config, sharing its nodes."""
    view = DictConfig({})
    content: Any = view._content
    content.update({key: cfg._get_node(key) for key in keys})
    return view
