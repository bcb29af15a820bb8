"""What is to be done: composed configs become a manifest of runs, built and fingerprinted."""

import hashlib
import json
import logging
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_info

from harness.compose import Built, build
from harness.data import Prepared, prepare, prepare_for
from harness.errors import HarnessError, UsageError
from harness.recording import NOT_RECORDED, Config, resolved, share
from harness.store import Manifest, Planned
from harness.tracking.uri import experiment_name, tracking_uri, without_credentials

log = logging.getLogger(__name__)

NAME = 200  # characters


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
    prepare.cache_clear()  # a file may have changed since
    found, numbers = examined(jobs, single)
    if not found:
        raise UsageError("nothing to do: the sweep has no runs")
    every = [job.overrides for job, _ in found.values()]
    common = set(every[0]).intersection(*every[1:]) if len(every) > 1 else set()
    parts: dict[str, Any] = {}  # runs of a large sweep share what is equal in their configs
    runs = tuple(
        _planned(identity, numbers[identity], job, built, _name(job, built, common, single), parts)
        for identity, (job, built) in found.items()
    )
    first, built = next(iter(found.values()))
    return manifest_of(first.config, built, runs, command, single=single, launcher=launcher)


def plan_trial(job: Job, common: Sequence[str]) -> tuple[Planned, ...]:
    """The runs of one setting that a search asks for; named by what is not `common`."""
    found, numbers = examined([job], single=False)
    named = {key: _name(*found[key], set(common), single=False) for key in found}
    return tuple(
        _planned(key, numbers[key], job, built, named[key], {})
        for key, (job, built) in found.items()
    )


def examined(
    jobs: Iterable[Job], single: bool
) -> tuple[dict[str, tuple[Job, Built]], dict[str, list[int]]]:
    """The distinct runs by fingerprint, and the numbers of the jobs that ask for each."""
    found: dict[str, tuple[Job, Built]] = {}
    numbers: dict[str, list[int]] = {}
    for job in jobs:
        try:
            for repeat in repeats(job):
                identity, built = examine(repeat)
                found.setdefault(identity, (repeat, built))
                numbers.setdefault(identity, []).append(job.number)
        except HarnessError as error:
            raise type(error)(_told(error, job, single)) from error
    return found, numbers


def examine(job: Job) -> tuple[str, Built]:
    """A run's fingerprint, and its parts; raises as `build` does."""
    built = build(job.config)
    return fingerprint(job.config, built), built


def repeats(job: Job) -> Iterator[Job]:
    """A setting under K seeds: its own seed, and K - 1 that are derived from it."""
    count = resolved({"repeats": job.config.get("repeats", 1)})["repeats"]
    if not isinstance(count, int) or count <= 1:
        yield job
        return
    kept = tuple(line for line in job.overrides if not line.startswith(("seed=", "repeats=")))
    first = resolved({"seed": job.config["seed"]})["seed"]
    for number in range(count):
        seed = derived(first, number)
        config = job.config | {"seed": seed, "repeats": 1}
        yield Job(job.number, (*kept, f"seed={seed}"), config)


def derived(seed: int, number: int) -> int:
    """Seed `number` of those that one seed stands for; number 0 is the seed itself."""
    if number == 0:
        return seed
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def _warn_of_direction(built: Built) -> None:
    """Ranking by a metric the wrong way round is hardly ever meant."""
    greater = {name: metric.greater_is_better for name, metric in built.member.metrics}
    for metric, direction in built.objectives:
        name = metric.partition("/")[2]
        if greater.get(name, direction == "maximize") != (direction == "maximize"):
            better = "greater" if greater[name] else "smaller"
            text = "%s is better when it is %s, and objective.direction=%s ranks it the other way"
            log.warning(text, metric, better, direction)


def _told(error: HarnessError, job: Job, single: bool) -> str:
    """The error, and in a sweep the job that has it."""
    return str(error) if single else f"{error}\n  in job {job.number}: {' '.join(job.overrides)}"


def _name(job: Job, built: Built, common: set[str], single: bool) -> str:
    """A run's name: in a sweep the overrides that vary; `tracking.run_name` names the whole."""
    if single and built.settings.tracking.run_name:
        return built.settings.tracking.run_name
    varying = [override for override in job.overrides if override not in common]
    return " ".join(varying or job.overrides) or str(job.config["dataset"]["name"])


def _planned(
    identity: str,
    numbers: list[int],
    job: Job,
    built: Built,
    name: str,
    parts: dict[str, Any],
) -> Planned:
    inputs, config = _inputs(job.config, built), share(job.config, parts)
    return Planned(tuple(numbers), identity, name, job.overrides, config, inputs, built.plugins)


def _inputs(config: Config, built: Built) -> tuple[dict[str, Any], ...]:
    name = config["dataset"]["name"]
    source = str(config["dataset"].get("path", f"harness://dataset/{name}"))
    return inputs_of(prepare_for(built.member), name, source)


@lru_cache(maxsize=16)
def inputs_of(prepared: Prepared, name: str, source: str) -> tuple[dict[str, Any], ...]:
    """The parts of the data as MLflow's dataset inputs, the same objects for all runs."""
    return tuple(
        {
            "name": name,
            "digest": prepared.digest(part),
            "rows": len(rows),
            "features": prepared.data.x.shape[1],
            "context": part,
            "source": source,
        }
        for part, rows in prepared.rows.items()
    )


def fingerprint(config: Config, built: Built) -> str:
    """What makes a run the same run: its config, its data, and the code of its plugins."""
    aside = (*NOT_RECORDED, "objective")
    kept = {key: value for key, value in resolved(config).items() if key not in aside}
    digests = [part["digest"] for part in _inputs(config, built)]
    text = json.dumps([kept, digests, built.plugins], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def manifest_of(
    config: Config,
    built: Built,
    runs: tuple[Planned, ...],
    command: Sequence[str],
    *,
    single: bool,
    launcher: Mapping[str, Any] | None = None,
    search: Mapping[str, Any] | None = None,
) -> Manifest:
    """What is asked for as a whole; `config` and `built` are of any one of its runs."""
    settings = built.settings
    _warn_of_direction(built)
    uri = tracking_uri(settings.tracking.uri, Path.cwd())
    (metric, direction), *others = built.objectives
    return Manifest(
        sweep_id=hashlib.sha256(os.urandom(16)).hexdigest()[:12],
        single=single,
        created=int(time.time() * 1000),
        cwd=str(Path.cwd()),
        tracking_uri=without_credentials(uri),
        experiment=experiment_name(settings.tracking.experiment),
        name=settings.tracking.run_name or shortened(" ".join(command)) or "sweep",
        overrides=tuple(command),
        objective={"metric": metric, "direction": direction, "others": others},
        tracking=dict(config["tracking"]),
        figures=dict(config["figures"]),
        numerics=numerics(settings.dtype),
        launcher=dict(launcher or {}),
        search=dict(search) if search is not None else None,
        runs=runs,
    )


def shortened(text: str) -> str:
    """A command line as a name; the tag `hydra.overrides` has the whole."""
    return text if len(text) <= NAME else f"{text[: NAME - 1]}…"


def store_of(manifest: Manifest) -> str:
    """The store of a sweep, with the credentials that the environment has for it."""
    try:
        asked = resolved({"uri": manifest.tracking.get("uri")})["uri"]
        uri = tracking_uri(asked, Path(manifest.cwd))
    except UsageError:
        return manifest.tracking_uri
    return uri if without_credentials(uri) == manifest.tracking_uri else manifest.tracking_uri


def numerics(dtype: str) -> dict[str, Any]:
    """What the bits of a result depend on besides config and plugins."""
    blas: dict[str, Any] = next(
        (pool for pool in threadpool_info() if pool["user_api"] == "blas"), {}
    )
    return {
        "harness": version("harness"),
        "numpy": np.__version__,
        "blas": f"{blas.get('internal_api', 'unknown')} {blas.get('version', '')}".strip(),
        "core": blas.get("architecture", "unknown"),
        "threads": 1,
        "dtype": dtype,
    }
