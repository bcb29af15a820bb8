"""Plan a sweep: turn composed configs into a manifest of runs, built and fingerprinted."""

import hashlib
import logging
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness.config import plugin_files
from harness.config.build import build, build_settings, own_direction, used_plugins
from harness.config.record import intern_parts, resolve_environment
from harness.config.validate import convert
from harness.errors import HarnessError, require
from harness.store.manifest import Manifest, Planned
from harness.store.params import Config
from harness.sweeps.plugin_checks import warn_of_wrong_plugins
from harness.sweeps.provenance import current_numerics, dataset_inputs, fingerprint
from harness.sweeps.split_checks import split_warnings
from harness.tracking.backend.uri import (
    experiment_name,
    has_credentials,
    tracking_uri,
    without_credentials,
)
from harness.training.data import derived_seed
from harness.training.stack import Member

log = logging.getLogger(__name__)

NAME = 200  # characters
READ = ("required", "model")  # of `tracking`: recorded as values, not as `${oc.env:…}`


def requested_run(number: int, overrides: Iterable[str], config: Config) -> Planned:
    """Return job `number` as a run that is not planned yet: without fingerprint and name."""
    return Planned((number,), "", "", tuple(overrides), config)


def plan(
    requested: Iterable[Planned],
    *,
    command: Sequence[str],
    single: bool,
    launcher: Mapping[str, Any] | None = None,
) -> Manifest:
    """Return the manifest of a sweep, all its runs validated and built; duplicates are one run.

    Raises UsageError, PluginError or DataError for the first job that cannot be built, before
    anything is created.
    """
    found = plan_runs(requested, single)
    require(bool(found), "nothing to do: the sweep has no runs")
    every = [run.overrides for run in found]
    common = set(every[0]).intersection(*every[1:]) if len(every) > 1 else set()
    runs = tuple(name_run(run, common) for run in found)
    return make_manifest(found[0].config, runs, command, single=single, launcher=launcher)


def plan_runs(requested: Iterable[Planned], single: bool, derived: bool = False) -> list[Planned]:
    """Return the distinct runs, each with all jobs that ask for it, and without a name yet.

    With `derived` the seeds of repeats are the ones of version 0.1.0.
    """
    found: dict[str, Planned] = {}
    numbers: dict[str, list[int]] = {}
    parts: dict[str, Any] = {}  # runs of a large sweep share what is equal in their configs
    for job in requested:
        try:
            for repeat in repeat_seeds(job, derived):
                run = plan_run(repeat, parts)
                found.setdefault(run.fingerprint, run)
                numbers.setdefault(run.fingerprint, []).extend(job.jobs)
        except HarnessError as error:
            where = "" if single else f"\n  in job {job.jobs[0]}: {' '.join(job.overrides)}"
            raise type(error)(f"{error}{where}") from error
    return [replace(run, jobs=tuple(numbers[run.fingerprint])) for run in found.values()]


def plan_run(run: Planned, parts: dict[str, Any]) -> Planned:
    """Build a requested run, and return it with what it will be trained with."""
    config, member = run.config, build(run.config)
    inputs, plugins = dataset_inputs(member, config), used_plugins(config, member)
    warn_of_wrong_plugins(member, plugins)
    return replace(
        run,
        fingerprint=fingerprint(config, inputs, plugins),
        config=intern_parts(config, parts),
        inputs=inputs,
        plugins=plugins,
    )


def name_run(run: Planned, common: set[str]) -> Planned:
    """Return a run with its name: the overrides that are not `common` to all runs."""
    varying = [override for override in run.overrides if override not in common]
    name = " ".join(varying or run.overrides) or str(run.config["dataset"]["name"])
    return replace(run, name=name)


def repeat_seeds(run: Planned, derived: bool = False) -> Iterator[Planned]:
    """Yield a requested run of seed s under the K seeds K·s to K·s + K - 1.

    So two seeds of a sweep never share one, and each is small. With `derived` they are the ones
    of version 0.1.0: s itself, and K - 1 random ones.
    """
    count = _whole(run.config, "repeats")
    if count <= 1:
        yield run
        return
    kept = tuple(line for line in run.overrides if not line.startswith(("seed=", "repeats=")))
    first = _whole(run.config, "seed")
    for number in range(count):
        seed = derived_seed(first, number) if derived else count * first + number
        config = run.config | {"seed": seed, "repeats": 1}
        yield replace(run, overrides=(*kept, f"seed={seed}"), config=config)


def _whole(config: Config, key: str) -> int:
    """Return a whole number that is needed before the settings are built, or raise UsageError."""
    require(key in config, f"config: {key} must be given")
    number: int = convert(int, resolve_environment({key: config[key]})[key], key)
    return number


def _warn_of_direction(objectives: Sequence[tuple[str, str]], member: Member) -> None:
    """Log a warning if runs are ranked by a metric the wrong way round: hardly ever meant."""
    for metric, direction in objectives:
        if direction != (own := own_direction(metric, member)):
            better = "greater" if own == "maximize" else "smaller"
            text = "%s is better when it is %s, and objective.direction=%s ranks it the other way"
            log.warning(text, metric, better, direction)


def _warn_of_splits(metrics: Sequence[str], runs: Sequence[Planned], member: Member) -> None:
    """Log each warning about the parts of the data once; `member` is one run, all of a search."""
    splits = {
        id(run.inputs): run.config for run in runs
    }  # runs of the same data share their inputs
    members = [build(config) for config in splits.values()] or [member]
    for text in dict.fromkeys(text for each in members for text in split_warnings(each, metrics)):
        log.warning("%s", text)


def make_manifest(
    config: Config,
    runs: tuple[Planned, ...],
    command: Sequence[str],
    *,
    single: bool,
    launcher: Mapping[str, Any] | None = None,
    search: dict[str, Any] | None = None,
) -> Manifest:
    """Return the manifest of a sweep; `config` is that of any one of its runs."""
    settings = build_settings(config)
    member, own_name = build(config), config["tracking"]["run_name"]  # as typed
    objectives = [(m, given or own_direction(m, member)) for m, given in settings.objectives]
    _warn_of_direction(objectives, member)
    _warn_of_splits([metric for metric, _ in objectives], runs, member)
    uri = tracking_uri(settings.tracking.uri, Path.cwd())
    secret = has_credentials(str(config["tracking"]["uri"]))
    require(not secret, "tracking.uri has a password: name a variable instead, ${oc.env:STORE}")
    (metric, direction), *others = objectives
    if single and own_name:
        runs = tuple(replace(run, name=own_name) for run in runs)
    return Manifest(
        sweep_id=hashlib.sha256(os.urandom(16)).hexdigest()[:12],
        single=single,
        created=int(time.time() * 1000),
        cwd=str(Path.cwd()),
        tracking_uri=without_credentials(uri),
        experiment=experiment_name(settings.tracking.experiment),
        name=own_name or shorten(" ".join(command)) or "sweep",
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
    """Cut a command line to the length of a name; the tag `hydra.overrides` has it whole."""
    return text if len(text) <= NAME else f"{text[: NAME - 1]}…"
