"""Build the run that a config describes: its plugins and settings, checked against its data."""

import hashlib
import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from typing import Any

import numpy as np

from harness.config import plugin_files
from harness.config.record import resolve_environment
from harness.config.registry import (
    DISTRIBUTION,
    blame_plugin,
    find_plugin,
    load_plugin,
    plugin_names,
    plugin_provenance,
)
from harness.config.schema import GROUPS, build_plugin, dotted_names
from harness.config.settings import Settings
from harness.config.validate import build_dataclass
from harness.contracts import Data, DataError, Figure, Metric
from harness.errors import PluginError, UsageError, require, require_known
from harness.store.params import Config, format_value
from harness.training.data import Prepared, prepare, prepare_for
from harness.training.stack import Member

log = logging.getLogger(__name__)

METRICS = {"regression": ("r2", "rmse", "mae"), "classification": ("accuracy", "f1")}
LOSSES = {"regression": ("regression",), "classification": ("binary", "multiclass")}
KEPT = 20_000  # members
TOP = (*(f.name for f in fields(Settings)), *GROUPS)  # the keys of a config

# Building takes about a millisecond, and a run is built for its plan, its stack, its training and
# its publishing: eleven times in all for a single run, and 87 % of what a run of a large sweep
# costs besides training. The key is a digest of the config with its environment values in place,
# so that another value of a variable is another run and no secret is kept in it.
_members: dict[bytes, Member] = {}


def build(config: Config) -> Member:
    """Build the run that a recorded config describes, or return it if it was built before.

    The dataset is loaded (once per distinct dataset) to check that loss and metrics fit it.
    Raises UsageError, PluginError or DataError if the run cannot be built.
    """
    values = resolve_environment(config)
    text = f"{os.environ.get(plugin_files.VARIABLE)}{values!r}".encode(errors="surrogatepass")
    key = hashlib.blake2b(text, digest_size=16).digest()
    member = _members.get(key)
    if member is None:
        if len(_members) >= KEPT:
            _members.clear()
        member = _members[key] = _build(values)
    return member


def forget_builds() -> None:
    """Forget all built members and loaded data: a file may have changed since."""
    prepare.cache_clear()
    _members.clear()


def _build(values: Config) -> Member:
    settings = build_settings(values)
    missing = [kind for kind in GROUPS if not isinstance(values.get(kind), Mapping)]
    require(not missing, f"{', '.join(missing)}: a plugin must be chosen")
    chosen = {kind: build_plugin(kind, values[kind]) for kind in GROUPS}
    member = _member(settings, chosen)
    data = _loaded(member, values["dataset"]["name"])
    require_fitting_loss(member, values, data)
    metrics = _metrics(settings.metrics, data.data.task)
    _check_figures(settings)
    timeline = member.timeline and data.data.x.shape[1] <= 2
    member = replace(member, metrics=metrics, timeline=timeline)
    for metric, _ in settings.objectives:
        require_known("objective.metric", metric, final_names(member))
    return member


def build_settings(config: Config) -> Settings:
    """Build the settings of a recorded config that belong to no plugin."""
    plain = {key: value for key, value in config.items() if key not in GROUPS}
    for name in plain:
        require_known("config", name, TOP, dotted_names())
    settings: Settings = build_dataclass(Settings, resolve_environment(plain), "")
    return settings


def used_plugins(config: Config, member: Member) -> tuple[dict[str, str], ...]:
    """Return the provenance of each plugin that a run uses."""
    used = [(kind, config[kind]["name"]) for kind in GROUPS]
    used += [("metric", name) for name, _ in member.metrics]
    return tuple(plugin_provenance(*each) for each in used)


def _loaded(member: Member, name: str) -> Prepared:
    """Load the dataset; PluginError if it raises, DataError if its file cannot be read."""
    with blame_plugin(find_plugin("dataset", name), "failed in load"):
        try:
            return prepare_for(member)
        except OSError as error:
            path = str(error.filename or f"dataset {name}")
            raise DataError(error.strerror or str(error), path) from error


def _member(settings: Settings, chosen: Mapping[str, Any]) -> Member:
    same = {f.name for f in fields(Member)} - {"metrics"}
    return Member(
        **chosen,
        **{key: value for key, value in vars(settings).items() if key in same},
        l1=settings.penalty.l1,
        l2=settings.penalty.l2,
        clip_value=settings.clip.value,
        clip_norm=settings.clip.norm,
        patience=settings.stopping.patience,
        min_delta=settings.stopping.min_delta,
        max_seconds=settings.stopping.max_seconds,
        timeout=settings.run.timeout,
        log_every=settings.tracking.log_every,
        metrics_every=settings.tracking.metrics_every,
        checkpoint_seconds=settings.run.checkpoint_seconds,
        timeline=settings.figures.timeline,
    )


def require_fitting_loss(member: Member, config: Config, prepared: Prepared) -> None:
    """Raise UsageError, which names the losses that fit, if the loss is for another task."""
    data, task = prepared.data, member.loss.task
    if _fits(task, data):
        y = prepared.ready("train", task, member.dtype)[1][None, :1]
        name = config["loss"]["name"]
        with blame_plugin(find_plugin("loss", name), "failed in __call__"):
            try:
                member.loss(np.zeros_like(y), y)  # class weights must be as many as the classes
            except ValueError as error:
                raise UsageError(f"loss={name}: {error}") from error
        return
    fitting = [name for name in plugin_names("loss") if _fits(_task_of(name), data)]
    classes = f"{len(data.class_names)} classes"
    what = classes if data.task == "classification" else "regression"
    raise UsageError(
        f"loss={config['loss']['name']} is for {task} and dataset={config['dataset']['name']} "
        f"is {what}: choose loss={' or loss='.join(fitting)}"
    )


def _fits(task: str, data: Data) -> bool:
    """Return whether a loss for this task can be used with this data."""
    return task in LOSSES[data.task] and (task != "binary" or len(data.class_names) == 2)


def _task_of(loss: str) -> str:
    """Return the task of a loss, or an empty text if the loss cannot be loaded."""
    with suppress(PluginError):
        return str(load_plugin("loss", loss).task)  # type: ignore[attr-defined]
    return ""


def _metrics(asked: Sequence[Any] | None, task: str) -> tuple[tuple[str, Metric], ...]:
    """Return the metrics of a run by name; if none are asked for, the default ones of the task."""
    built: dict[str, Metric] = {}
    for entry in METRICS[task] if asked is None else asked:
        name, values = _named(entry)
        require_known("metrics", name, plugin_names("metric"))
        require(name not in built, f"metrics: {name} is there twice")
        built[name] = build_plugin("metric", {**values, "name": name})
        fits = getattr(built[name], "task", task) == task
        require(fits, f"metrics: {name} is not for {task}, which this dataset is")
    return tuple(built.items())


def _named(entry: Any) -> tuple[str, Mapping[str, Any]]:
    """Return the name and the fields of an entry of `metrics`; UsageError if it is neither."""
    given = {entry: {}} if isinstance(entry, str) else entry
    if isinstance(given, Mapping) and len(given) == 1:
        [(name, values)] = given.items()
        if isinstance(values or {}, Mapping):
            return str(name), values or {}
    raise UsageError(
        f"metrics: {format_value(entry)} is neither a name nor {{name: {{field: value}}}}"
    )


def final_names(member: Member) -> list[str]:
    """Return the names of the final metrics of a run: runs can be ranked by these."""
    part = "val" if member.validation else "train"
    known = [f"{part}/best_loss", f"{part}/best_epoch", "train/seconds"]
    known += [f"{part}/{name}" for name, _ in member.metrics]
    if member.test:
        known += ["test/loss", *(f"test/{name}" for name, _ in member.metrics)]
    return known


def own_direction(metric: str, member: Member) -> str:
    """Return how a final metric is ranked: as a plugin says; losses, epochs, seconds minimised."""
    greater = {name for name, plugin in member.metrics if plugin.greater_is_better}
    return "maximize" if metric.partition("/")[2] in greater else "minimize"


def _check_figures(settings: Settings) -> None:
    for asked in (settings.figures.names, settings.figures.members):
        for name in asked or ():
            require_known("figures", name, [*plugin_names("figure"), "all"])
        if asked and "all" not in asked:
            figures_for(asked)


def figures_for(asked: Sequence[str] | None, scope: str | None = None) -> dict[str, Figure]:
    """Return figure plugins by name: the ones in `asked`, or `all`, or (None) the built-in ones.

    A `scope` ("run" or "sweep") keeps the figures of that scope. Raises PluginError for a broken
    plugin that is asked for by name; any other broken one is left out with a warning.
    """
    named = asked is not None and "all" not in asked
    figures: dict[str, Figure] = {}
    for name in asked or () if named else plugin_names("figure"):
        if asked is None and find_plugin("figure", name).distribution != DISTRIBUTION:
            continue
        try:
            figures[name] = build_plugin("figure", {"name": name})
        except PluginError as error:
            if named:
                raise
            log.warning("left out: %s", error)
    return {name: f for name, f in figures.items() if scope in (None, f.scope)}
