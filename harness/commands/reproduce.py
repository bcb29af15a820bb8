"""`harness reproduce RUN_ID`: train a recorded run again, and check that its numbers are equal."""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.analysis.differences import (
    FINALS,
    WITHOUT_WEIGHTS,
    Curves,
    compare_runs,
    differing_environment,
    differing_items,
    run_environment,
    verdict,
)
from harness.commands.signals import tidy_signals
from harness.config.build import build, forget_builds
from harness.contracts import Array
from harness.engines.failures import failed_result
from harness.errors import UsageError, is_interruption
from harness.store.params import Config, recorded_params
from harness.store.results import Curve, Result
from harness.sweeps.drift import installed_plugin
from harness.sweeps.progress import LINE_SECONDS
from harness.sweeps.provenance import current_numerics, dataset_inputs
from harness.tracking.backend.name_limits import fit_name
from harness.tracking.backend.uri import tracking_uri
from harness.training.runtime import single_threaded_numpy
from harness.training.session import TrainingSession
from harness.training.stack import Member
from harness.training.stopping import EXPLODED

if TYPE_CHECKING:
    from harness.tracking.read_run import Record

MAX_POINTS = 1_000_000  # of a curve
CUT_OFF = ("max_seconds", "pruned", "run.timeout")  # reasons that another training may not have
# Settings that are not recorded, with values that reproducing does not use.
UNRECORDED: Config = {"uri": None, "experiment": None, "run_name": None, "tags": {}}


def main(arguments: list[str]) -> int:
    """Train a run again and compare it with its record; return 0 if both are the same, else 1."""
    from harness.tracking.read_run import read_run

    parser = argparse.ArgumentParser(prog="harness reproduce", description=__doc__)
    parser.add_argument("run", help="the id of a recorded run, its beginning, or a fingerprint")
    asked = parser.parse_args(arguments).run
    with tidy_signals():
        record = read_run(tracking_uri(None, Path.cwd()), asked)
        config = require_reproducible(record)
        with record.plugins_at_hand():
            changed = recorded_changes(record, config)
            print(f"run: {record.run_id} {record.name}", flush=True)
            for key, (was, now) in changed.items():
                print(f"differs: {key}: {was} was recorded, there is {now}", flush=True)
            result = train_again(config, record)
    recorded_end = ending(record)
    if (end := ending_here(result, recorded_end)) != recorded_end:
        conclusion = f"different: recorded as {recorded_end}, and here {end}"
    else:
        conclusion = compare_with_record(result, record)
    if conclusion.startswith("different") and changed:
        conclusion += f" ({', '.join(changed)} differ{'s' if len(changed) == 1 else ''})"
    print(f"verdict: {conclusion}", flush=True)
    return 1 if conclusion.startswith("different") else 0


def compare_with_record(result: Result, record: "Record") -> str:
    """Print how far a result agrees with its record; return the verdict."""
    curves = {key: curve for key, curve in record.curves.items() if key.startswith(FINALS)}
    recorded = replace(record, curves=curves)
    agreements = compare_runs(recorded, only_recorded(result, recorded))
    for each in agreements:
        print(f"{each.what}: {each.description}")
    if not record.missing:
        return verdict(agreements)
    print(f"harness: {record.missing}", file=sys.stderr)
    return verdict(agreements) + WITHOUT_WEIGHTS


def require_reproducible(record: "Record") -> Config:
    """Return a run's config; raise UsageError for a sweep, or a run without comparable numbers."""
    run, tags = f"run {record.run_id}", record.tags
    if tags.get("harness.role") == "sweep":
        best = tags.get("best_run_id")
        hint = f": its best is {best}" if best else ""
        raise UsageError(f"{run} is a whole sweep; reproduce one of its runs{hint}")
    if record.outcome in ("", "stopped") and "harness.role" in tags:
        state = "was stopped" if record.outcome else "has not ended"
        raise UsageError(f"{run} {state}\nharness resume {tags.get('harness.folder')} finishes it")
    if record.outcome == "failed" and not record.curves:
        reason = tags.get("harness.reason", "see its traceback.txt")
        raise UsageError(f"{run} failed, and has no numbers to compare with\n{reason}")
    config = record.settings
    quiet: Config = {"names": [], "members": []}
    return config | {
        "tracking": {**config.get("tracking", {}), **UNRECORDED},
        "figures": {**config.get("figures", {}), **quiet},
    }


def recorded_changes(record: "Record", config: Config) -> dict[str, tuple[str, str]]:
    """Return what the numbers depend on and is not as recorded; PluginError without a plugin."""
    forget_builds()
    plugins = [installed_plugin(plugin) for plugin in record.tagged("harness.plugins") or ()]
    member = build(config)
    now = run_environment(plugins, dataset_inputs(member, config), current_numerics(member.dtype))
    return differing_items(record.params, recorded_params(config)) | differing_environment(
        record.surroundings, now
    )


def ending(record: "Record") -> str:
    """Return the recorded ending; a run that was cut off counts as ended at its last epoch."""
    reason = record.tags.get("harness.reason", "").partition(";")[0]
    if reason.startswith(CUT_OFF):
        return f"ok at epoch {last_epoch(record.curves)}"
    return format_ending(record.outcome, reason, record.curves)


def ending_here(result: Result, recorded: str) -> str:
    """Return how the run ended here; version 0.1.0 recorded one that exploded as `ok`."""
    exploded = EXPLODED in result.reason and recorded.startswith("ok")
    return format_ending("ok" if exploded else result.outcome, result.reason, result.curves)


def format_ending(outcome: str, reason: str, curves: Curves) -> str:
    """Return `ok at epoch 100`, or `diverged: loss or weights not finite at epoch 7`."""
    if outcome == "ok":
        return f"ok at epoch {last_epoch(curves)}"
    return f"{outcome}: {reason}" if reason else outcome


def last_epoch(curves: Curves) -> int:
    """Return the epoch of the last point; 0 for a run that ended before its first epoch."""
    return int(curves["train/loss"][0][-1]) if "train/loss" in curves else 0


def only_recorded(result: Result, record: "Record") -> Result:
    """Return the result without curves, finals and weights that the record does not have.

    A later version may measure more than the one that recorded the run.
    """
    curves = {key: curve for key, curve in result.curves.items() if key in record.curves}
    metrics = {key: value for key, value in result.metrics.items() if key in record.metrics}
    weights = [] if record.missing else result.weights
    return replace(result, curves=curves, metrics=metrics, weights=weights)


def train_again(config: Config, record: "Record") -> Result:
    """Train the run, up to its last epoch if it was cut off; return it with comparable curves."""
    member = replace(build(config), timeout=None, checkpoint_seconds=None, max_seconds=None)
    if record.tags.get("harness.reason", "").startswith(CUT_OFF):
        last = last_epoch(record.curves)
        member = replace(member, last_epoch=last, max_seconds=None if last else 1e-9)
    asked = {key: steps for key, (steps, _) in record.curves.items() if key.endswith("/loss")}
    if "train/loss" in asked:
        # Points are needed also between the logged ones: long runs of harness 0.1.0 have some.
        every = int(np.gcd.reduce(asked["train/loss"][:-1]))
        member = replace(member, log_every=max(every, member.epochs // MAX_POINTS) or 1)
    *_, result = train_snapshots(member, config)
    curves = {
        fit_name(key): _finite(c, asked.get(fit_name(key), c.steps))
        for key, c in result.curves.items()
    }
    finals = {fit_name(key): value for key, value in result.metrics.items()}
    for key in curves.keys() & finals.keys():  # MLflow keeps a final as the last point of a curve
        before = curves[key].steps != result.last_epoch
        ends = (result.last_epoch, finals[key], result.ended)
        points = zip(curves[key], ends, strict=True)
        curves[key] = Curve(*(np.append(part[before], end) for part, end in points))
    latest = {key: float(curve.values[-1]) for key, curve in curves.items() if len(curve.values)}
    several = {key: curve for key, curve in curves.items() if len(curve.steps) > 1}
    return replace(result, curves=several, metrics=latest | finals)


def _finite(curve: Curve, steps: Array) -> Curve:
    """Return the finite points of a curve at these steps, and its last point if finite."""
    kept = np.isfinite(curve.values) & np.isin(curve.steps, [*steps, *curve.steps[-1:]])
    return Curve(*(part[kept] for part in curve))


def train_snapshots(member: Member, config: Config) -> Iterator[Result]:
    """Train the run alone; yield snapshots and its result, and print the epoch now and then."""
    on_terminal, printed = sys.stderr.isatty(), time.perf_counter()
    session: TrainingSession | None = None
    try:
        with single_threaded_numpy():
            session = TrainingSession([member], [""])
            for result in chain.from_iterable(session.results()):
                yield result
                now = time.perf_counter()
                if result.outcome == "running" and (on_terminal or now - printed > LINE_SECONDS):
                    printed = now
                    line = f"training: epoch {result.last_epoch} of {member.epochs}"
                    print(line, file=sys.stderr, end="\r" if on_terminal else "\n", flush=True)
    except BaseException as error:
        if is_interruption(error):
            raise
        failed = failed_result("", config, error)
        yield session.add_history(failed) if session else failed
    finally:
        if on_terminal:
            print("\x1b[2K", file=sys.stderr, end="\r", flush=True)
