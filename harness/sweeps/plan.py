"""What is to be done: composed configs become a manifest of runs, built and fingerprinted."""

import hashlib
import logging
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

from harness.config import plugin_files
from harness.config.build import Built, build
from harness.config.record import intern_parts, resolve_environment
from harness.config.validate import convert
from harness.errors import HarnessError, require
from harness.store.manifest import Manifest, Planned
from harness.store.params import Config
from harness.sweeps.provenance import current_numerics, dataset_inputs, fingerprint
from harness.tracking.backend.uri import (
    experiment_name,
    has_password,
    tracking_uri,
    without_credentials,
)
from harness.training.data import derived_seed

log = logging.getLogger(__name__)

NAME = 200  # characters
READ = ("required", "model")  # of `tracking`, when it is planned: the environment may say them


class Job(NamedTuple):
    """One composed job: its number, its overrides, and its config as recorded."""

    number: int
    overrides: tuple[str, ...]
    config: Config


def plan(
    jobs: Iterable[Job],
    *,
    command: Sequence[str],
    single: bool,
    launcher: Mapping[str, Any] | None = None,
) -> Manifest:
    """Every run of a sweep, validated and built; duplicates are one run.

    Raises UsageError, PluginError or DataError for the first job that cannot be, before anything
    is created.
    """
    found = plan_runs(jobs, single)
    require(bool(found), "nothing to do: the sweep has no runs")
    every = [run.overrides for run in found]
    common = set(every[0]).intersection(*every[1:]) if len(every) > 1 else set()
    config, built = found[0].config, build(found[0].config)
    runs = tuple(name_run(run, common) for run in found)
    if single and built.settings.tracking.run_name:
        runs = (replace(found[0], name=built.settings.tracking.run_name),)
    return make_manifest(config, built, runs, command, single=single, launcher=launcher)


def plan_trial(job: Job, common: Iterable[str]) -> tuple[Planned, ...]:
    """The runs of one setting that a search asks for; named by what is not `common`."""
    return tuple(name_run(run, {*common}) for run in plan_runs([job], single=False))


def plan_runs(jobs: Iterable[Job], single: bool) -> list[Planned]:
    """The distinct runs, without names yet; each knows all jobs that ask for it."""
    found: dict[str, Planned] = {}
    numbers: dict[str, list[int]] = {}
    parts: dict[str, Any] = {}  # runs of a large sweep share what is equal in their configs
    for job in jobs:
        try:
            for repeat in repeat_job(job):
                run = plan_run(repeat, parts)
                found.setdefault(run.fingerprint, run)
                numbers.setdefault(run.fingerprint, []).append(job.number)
        except HarnessError as error:
            where = "" if single else f"\n  in job {job.number}: {' '.join(job.overrides)}"
            raise type(error)(f"{error}{where}") from error
    return [replace(run, jobs=tuple(numbers[run.fingerprint])) for run in found.values()]


def plan_run(job: Job, parts: dict[str, Any]) -> Planned:
    """One run, built to see that it can be; raises as `build` does."""
    built, config = build(job.config), job.config
    inputs = dataset_inputs(built, config)
    identity = fingerprint(config, inputs, built.plugins)
    shared = intern_parts(config, parts)
    return Planned((job.number,), identity, "", job.overrides, shared, inputs, built.plugins)


def name_run(run: Planned, common: set[str]) -> Planned:
    """A run with its name: the overrides that are not common to all."""
    varying = [override for override in run.overrides if override not in common]
    name = " ".join(varying or run.overrides) or str(run.config["dataset"]["name"])
    return replace(run, name=name)


def repeat_job(job: Job) -> Iterator[Job]:
    """A setting under K seeds: its own seed, and K - 1 that are derived from it."""
    count = _whole(job.config, "repeats")
    if count <= 1:
        yield job
        return
    kept = tuple(line for line in job.overrides if not line.startswith(("seed=", "repeats=")))
    first = _whole(job.config, "seed")
    for number in range(count):
        seed = derived_seed(first, number)
        config = job.config | {"seed": seed, "repeats": 1}
        yield Job(job.number, (*kept, f"seed={seed}"), config)


def _whole(config: Config, key: str) -> int:
    """A number that is needed before the settings are built; UsageError as they would raise it."""
    require(key in config, f"config: {key} must be given")
    number: int = convert(int, resolve_environment({key: config[key]})[key], key)
    return number


def _warn_of_direction(built: Built) -> None:
    """Ranking by a metric the wrong way round is hardly ever meant."""
    greater = {name: metric.greater_is_better for name, metric in built.member.metrics}
    for metric, direction in built.objectives:
        name = metric.partition("/")[2]
        if greater.get(name, direction == "maximize") != (direction == "maximize"):
            better = "greater" if greater[name] else "smaller"
            text = "%s is better when it is %s, and objective.direction=%s ranks it the other way"
            log.warning(text, metric, better, direction)


def make_manifest(
    config: Config,
    built: Built,
    runs: tuple[Planned, ...],
    command: Sequence[str],
    *,
    single: bool,
    launcher: Mapping[str, Any] | None = None,
    search: dict[str, Any] | None = None,
) -> Manifest:
    """What is asked for as a whole; `config` and `built` are of any one of its runs."""
    settings = built.settings
    _warn_of_direction(built)
    uri = tracking_uri(settings.tracking.uri, Path.cwd())
    secret = has_password(str(config["tracking"]["uri"]))
    require(not secret, "tracking.uri has a password: name a variable instead, ${oc.env:STORE}")
    (metric, direction), *others = built.objectives
    return Manifest(
        sweep_id=hashlib.sha256(os.urandom(16)).hexdigest()[:12],
        single=single,
        created=int(time.time() * 1000),
        cwd=str(Path.cwd()),
        tracking_uri=without_credentials(uri),
        experiment=experiment_name(settings.tracking.experiment),
        name=settings.tracking.run_name or shorten(" ".join(command)) or "sweep",
        overrides=tuple(command),
        objective={"metric": metric, "direction": direction, "others": others},
        tracking=config["tracking"] | {key: getattr(settings.tracking, key) for key in READ},
        figures=asdict(settings.figures),
        numerics=current_numerics(settings.dtype),
        launcher=dict(launcher or {}),
        search=search,
        folders=[str(folder) for folder in plugin_files.plugin_folders()],
        runs=runs,
    )


def shorten(text: str) -> str:
    """A command line as a name; the tag `hydra.overrides` has the whole."""
    return text if len(text) <= NAME else f"{text[: NAME - 1]}…"
