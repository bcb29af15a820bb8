"""Compose a run or a sweep with Hydra, and carry it out."""

import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import env_override
from hydra.errors import ConfigCompositionException
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf

from harness.analysis.leaderboard import setting_value
from harness.config.build import build, forget_builds
from harness.config.record import record_config, select_unresolved
from harness.config.registry import DISTRIBUTION
from harness.config.validate import convert
from harness.engines import Engine
from harness.errors import require
from harness.hydra_app.app import Composer, open_composer, set_output_folder
from harness.hydra_app.hydra_state import outside_hydra
from harness.hydra_app.overrides import check_repeated_keys
from harness.hydra_app.passwords import passwords_aside
from harness.store.manifest import Manifest, read_manifest
from harness.store.params import Config
from harness.sweeps import execute
from harness.sweeps.plan import plan, requested_run
from harness.sweeps.progress import Progress
from harness.sweeps.summary import Summary

# Hydra's launchers configure logging, and close the handlers of the caller: not from Python.
UNLOGGED = ("++hydra.job_logging.root=null", "++hydra.hydra_logging.root=null")


class JobFailed(Exception):
    """The error that Hydra's sweepers get for a run that failed."""


@dataclass(eq=False)
class Task:
    """The task function that Hydra calls for a run, or for each job of a foreign launcher."""

    command: tuple[str, ...]
    quiet: bool
    config_dir: str | None
    config_name: str
    accept_drift: bool | None
    pinned: Mapping[str, str | None] | None = None  # variables that a search was planned with
    manifest: Manifest | None = None  # of a single run, which is planned before Hydra starts it
    summary: Summary | None = None

    def __call__(self, cfg: DictConfig) -> Any:
        """Train one composed config; return the objective, or None if the run did not end well."""
        hydra, manifest = HydraConfig.get(), self.manifest
        single = manifest is not None
        if manifest is None:
            forget_builds()  # this process may have done another sweep's job before
            manifest = plan_job(int(hydra.job.num), hydra, cfg, self.command, single=False)
        directory = Path(hydra.runtime.output_dir if single else hydra.sweep.dir).absolute()
        execute.begin_sweep(directory, manifest)
        only = None if single else {run.fingerprint for run in manifest.runs}
        with outside_hydra(), Progress(1, self.quiet or not single) as progress:
            summary = execute.carry_out(directory, only=only, progress=progress)
        self.summary = summary if single else None
        return setting_value(summary.ranked, summary.manifest.objective)

    def __getstate__(self) -> dict[str, Any]:
        """Pickle the task without the summary, which belongs to this process."""
        return vars(self) | {"summary": None}


def plan_job(
    number: int, hydra: Any, cfg: DictConfig, command: Sequence[str], *, single: bool
) -> Manifest:
    """Return the manifest of one composed job, its overrides as they were typed."""
    lines = OmegaConf.to_container(hydra.overrides.task, resolve=False)
    run = requested_run(number, map(str, cast(list[Any], lines)), record_config(cfg))
    return plan([run], command=command, single=single)


def launch(
    overrides: Sequence[str],
    *,
    multirun: bool,
    config_dir: str | None = None,
    config_name: str = "config",
    quiet: bool = False,
    place: Sequence[str] = (),
    accept_drift: bool | None = None,
    pinned: Mapping[str, str | None] | None = None,
) -> Summary:
    """Compose and carry out a run or a sweep; nothing is created before all of it is valid.

    `quiet` is for callers from Python: it shows no progress and configures no logging. `place`
    are overrides that are not recorded: the folder to go on in. `accept_drift` is that of
    `execute.carry_out`, and `pinned` holds the environment variables that a search was planned
    with. Raises UsageError, PluginError or DataError if a run cannot be.
    """
    listed = isinstance(overrides, Sequence) and not isinstance(overrides, str)
    listed = listed and all(isinstance(line, str) for line in overrides)
    require(listed, f'overrides={overrides!r}: a list of texts is expected, as in ["epochs=3"]')
    with passwords_aside(overrides) as lines:
        task = Task(tuple(lines), quiet, config_dir, config_name, accept_drift, pinned)
        return _launch(task, [*lines, *place], multirun)


def _launch(task: Task, lines: list[str], multirun: bool) -> Summary:
    for text in (*lines, str(Path.cwd())):
        valid = text == text.encode(errors="ignore").decode()
        require(valid, f"{text!a} is no valid UTF-8, and could not be recorded")
    forget_builds()  # a file may have changed since
    with open_composer(task.config_dir, task.pinned) as hydra:
        sweep = multirun or _asks_for_a_sweep(hydra, task.config_name, lines)
        if lines == [*task.command]:  # else a search goes on, which may be an older version's
            check_repeated_keys(lines, sweep)
        return (_sweep if sweep else _run)(hydra, task, lines)


def compose_run(
    overrides: Sequence[str], config_dir: str | None = None, config_name: str = "config"
) -> Config:
    """Return the config of one run as it would be recorded, without running it."""
    with passwords_aside(overrides) as lines, open_composer(config_dir) as hydra:
        cfg = hydra.compose_config(config_name, lines, RunMode.RUN, with_log_configuration=False)
        return record_config(cfg)


def _asks_for_a_sweep(hydra: Composer, config_name: str, lines: list[str]) -> bool:
    """Return whether the config asks for a sweep, as `hydra.mode=MULTIRUN` or `repeats=3` do."""
    try:
        cfg = hydra.compose_config(config_name, lines, RunMode.RUN, with_log_configuration=False)
        repeats: int = convert(int, cfg.get("repeats", 1), "repeats")
        sweep = repeats > 1 or cfg.hydra.mode == RunMode.MULTIRUN
    except ConfigCompositionException as error:
        sweep = "--multirun" in str(error)  # there are several values: perhaps rightly so
        if not (sweep and hydra.get_mode(config_name, lines) == RunMode.MULTIRUN):
            raise
    if sweep:
        hydra.composed = None
    return sweep


def _run(hydra: Composer, task: Task, lines: list[str]) -> Summary:
    """Plan a single run, and let Hydra start it."""
    cfg = hydra.compose_config(task.config_name, lines, RunMode.RUN, with_log_configuration=False)
    _allow(cfg)
    for key in ("plan", "zip", "exclude"):
        require(not cfg.hydra.sweeper.get(key), f"hydra.sweeper.{key} is for sweeps: add -m")
    # As in Hydra's run_job: the config may refer to the folder, and to these variables.
    set_output_folder(cfg, Path(str(cfg.hydra.run.dir)).absolute())
    build(record_config(cfg))  # without these variables, too: results are read without them
    with env_override(cfg.hydra.job.env_set):
        task.manifest = plan_job(0, cfg.hydra, cfg, task.command, single=True)
    if (there := manifest_in(cfg.hydra.run.dir)) is not None:
        if there.overrides == task.command:
            _require_own_version(there, Path(cfg.hydra.run.dir))
        same = {run.fingerprint for run in there.runs} == {task.manifest.runs[0].fingerprint}
        require(same, f"{cfg.hydra.run.dir} holds another run: choose another hydra.run.dir")
    hydra.run(task.config_name, task, lines, with_log_configuration=not task.quiet)
    assert task.summary is not None
    return task.summary


def _sweep(hydra: Composer, task: Task, lines: list[str]) -> Summary:
    """Let Hydra's sweeper and launcher carry out a sweep."""
    lines = [*lines, "hydra.mode=MULTIRUN"]  # as Hydra's own -m does: jobs see it in their config
    lines += UNLOGGED if task.quiet else ()
    name, mode = task.config_name, RunMode.MULTIRUN
    cfg = hydra.compose_config(name, lines, mode, with_log_configuration=False)
    _allow(cfg)
    require(
        not (uses_stack_launcher(cfg) and cfg.hydra.job.env_set),
        "hydra.job.env_set: runs of a stack share one environment; take hydra/launcher=basic",
    )
    directory = Path(str(cfg.hydra.sweep.dir)).absolute()
    if (there := manifest_in(directory)) is not None:
        same = there.overrides == task.command
        require(same, f"{directory} holds another sweep: choose another hydra.sweep.dir")
        if task.accept_drift is None:
            _require_own_version(there, directory)
    with suppress(JobFailed):  # the summary has it
        hydra.multirun(name, task, lines, with_log_configuration=not task.quiet)
    with outside_hydra():  # a foreign launcher leaves the end to us
        return task.summary or execute.carry_out(directory)


def manifest_in(directory: str | Path) -> Manifest | None:
    """Return the manifest of a folder, or None if it has none."""
    path = Path(directory)
    return read_manifest(path) if (path / "manifest.json").exists() else None


def _require_own_version(manifest: Manifest, directory: Path) -> None:
    """Raise UsageError if another version planned a folder: its fingerprints differ."""
    by, this = manifest.numerics.get("harness"), version(DISTRIBUTION)
    resume = shlex.join(["harness", "resume", str(directory.absolute())])
    text = f"{directory}: planned by harness {by}, this is {this}\nto go on: {resume}"
    require(by == this, text)


def _allow(cfg: DictConfig) -> None:
    """Raise UsageError for options of Hydra that are not supported: none is ignored."""
    for part in ("launcher", "sweeper"):
        node = cfg.hydra[part]
        chosen = isinstance(node, DictConfig)
        require(chosen, f"hydra.{part}={node}: choose one by its name with hydra/{part}={node}")
    params = cfg.hydra.sweeper.get("params")
    for key, value in params.items_ex(resolve=False) if isinstance(params, DictConfig) else ():
        swept = f"hydra.sweeper.params.{key!s}: values to sweep are text: `{key!s}: a,b`"
        require(not isinstance(value, ListConfig), f"{swept}; one list is `{key!s}: '[a,b]'`")
    if uses_stack_launcher(cfg):
        launcher_settings(cfg).check(OmegaConf.select(cfg, "run.timeout"))
    name = str(cfg.hydra.job.name)
    require("/" not in name, f"hydra.job.name={name}: its log file is called so, without a /")
    require(not cfg.hydra.job.chdir, "hydra.job.chdir=true is not available yet; false is")


def uses_stack_launcher(cfg: DictConfig) -> bool:
    """Return whether the launcher is ours."""
    return "stack_bytes" in cfg.hydra.launcher


def launcher_settings(cfg: DictConfig) -> Engine:
    """Return the settings of our launcher; a foreign one trains each job by itself."""
    node = cfg.hydra.launcher
    ours = uses_stack_launcher(cfg)
    return Engine(**{key: node[key] for key in Engine._fields}) if ours else Engine()


def launcher_record(cfg: DictConfig) -> dict[str, Any]:
    """Return the settings of our launcher for the manifest; texts of the environment unread."""
    record = launcher_settings(cfg)._asdict()
    if uses_stack_launcher(cfg):
        record["address"] = select_unresolved(cfg, "hydra.launcher.address")
    return record
