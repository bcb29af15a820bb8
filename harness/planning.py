"""What is to be done: composed configs become a manifest of runs, built and fingerprinted."""

import hashlib
import json
import logging
import os
import time
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_info

from harness.compose import Built, build
from harness.data import Prepared, prepare, prepare_for
from harness.errors import HarnessError, UsageError
from harness.recording import NOT_RECORDED, Config, resolved
from harness.store import Manifest, Planned
from harness.tracking.uri import experiment_name, tracking_uri, without_credentials

log = logging.getLogger(__name__)


class Job(NamedTuple):
    """One composed job: its number, its overrides, and its config as recorded."""

    number: int
    overrides: tuple[str, ...]
    config: Config


def plan(jobs: Iterable[Job], *, command: Sequence[str], single: bool) -> Manifest:
    """Every run of a sweep, validated and built; duplicates are one run.

    Raises UsageError, PluginError or DataError for the first job that cannot be, before anything
    is created.
    """
    prepare.cache_clear()  # a file may have changed since
    found: dict[str, tuple[Job, Built]] = {}
    numbers: dict[str, list[int]] = {}
    for job in jobs:
        try:
            built = build(job.config)
        except HarnessError as error:
            raise type(error)(_told(error, job, single)) from error
        identity = fingerprint(job.config, built, prepare_for(built.member))
        found.setdefault(identity, (job, built))
        numbers.setdefault(identity, []).append(job.number)
    if not found:
        raise UsageError("nothing to do: the sweep has no runs")
    every = [job.overrides for job, _ in found.values()]
    common = set(every[0]).intersection(*every[1:]) if len(every) > 1 else set()
    runs = tuple(
        _planned(identity, numbers[identity], job, built, _name(job, built, common, single))
        for identity, (job, built) in found.items()
    )
    first, built = next(iter(found.values()))
    _warn_of_direction(built)
    return _manifest(first.config, built, runs, command, single)


def _warn_of_direction(built: Built) -> None:
    """Ranking by a metric the wrong way round is hardly ever meant."""
    direction = built.settings.objective.direction
    for name, metric in built.member.metrics:
        greater = metric.greater_is_better
        if built.objective.endswith(f"/{name}") and greater != (direction == "maximize"):
            better = "greater" if greater else "smaller"
            text = "%s is better when it is %s, and objective.direction=%s ranks it the other way"
            log.warning(text, built.objective, better, direction)


def _told(error: HarnessError, job: Job, single: bool) -> str:
    """The error, and in a sweep the job that has it."""
    return str(error) if single else f"{error}\n  in job {job.number}: {' '.join(job.overrides)}"


def _name(job: Job, built: Built, common: set[str], single: bool) -> str:
    """A run's name: in a sweep the overrides that vary; `tracking.run_name` names the whole."""
    if single and built.settings.tracking.run_name:
        return built.settings.tracking.run_name
    varying = [override for override in job.overrides if override not in common]
    return " ".join(varying or job.overrides) or str(job.config["dataset"]["name"])


def _planned(identity: str, numbers: list[int], job: Job, built: Built, name: str) -> Planned:
    inputs = inputs_of(job.config, prepare_for(built.member))
    return Planned(
        tuple(numbers), identity, name, job.overrides, job.config, inputs, built.plugins
    )


def inputs_of(config: Config, prepared: Prepared) -> tuple[dict[str, Any], ...]:
    """The parts of the data as MLflow's dataset inputs."""
    name = config["dataset"]["name"]
    return tuple(
        {
            "name": name,
            "digest": prepared.digest(part),
            "rows": len(rows),
            "features": prepared.data.x.shape[1],
            "context": part,
            "source": str(config["dataset"].get("path", f"harness://dataset/{name}")),
        }
        for part, rows in prepared.rows.items()
    )


def fingerprint(config: Config, built: Built, prepared: Prepared) -> str:
    """What makes a run the same run: its config, its data, and the code of its plugins."""
    aside = (*NOT_RECORDED, "objective")
    kept = {key: value for key, value in resolved(config).items() if key not in aside}
    digests = [prepared.digest(part) for part in prepared.rows]
    text = json.dumps([kept, digests, built.plugins], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _manifest(
    config: Config,
    built: Built,
    runs: tuple[Planned, ...],
    command: Sequence[str],
    single: bool,
) -> Manifest:
    settings = built.settings
    now = int(time.time() * 1000)
    uri = tracking_uri(settings.tracking.uri, Path.cwd())
    sweep = hashlib.sha256(os.urandom(16)).hexdigest()[:12]
    name = settings.tracking.run_name or " ".join(command) or "sweep"
    objective = {"metric": built.objective, "direction": settings.objective.direction}
    return Manifest(
        sweep_id=sweep,
        single=single,
        created=now,
        cwd=str(Path.cwd()),
        tracking_uri=without_credentials(uri),
        experiment=experiment_name(settings.tracking.experiment),
        name=name,
        overrides=tuple(command),
        objective=objective,
        tracking=dict(config["tracking"]),
        figures=dict(config["figures"]),
        numerics=numerics(settings.dtype),
        runs=runs,
    )


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
