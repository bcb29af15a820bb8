"""From a composed config to plugins ready to train."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from harness.config import GROUPS, Settings, allow, build_dataclass, build_plugin
from harness.contracts import Activation, DataError, Figure, Loss, Metric, Model
from harness.data import Prepared, prepare_for
from harness.errors import HarnessError, PluginError, UsageError
from harness.registry import load, names, origin, provenance, table, unknown
from harness.stack import Member

Config = dict[str, Any]

log = logging.getLogger(__name__)

BUILT_IN = "harness"  # the distribution of the built-in plugins
METRICS = {"regression": ("r2", "rmse", "mae"), "classification": ("accuracy", "f1")}
LOSSES = {"regression": ("regression",), "classification": ("binary", "multiclass")}


@dataclass(frozen=True)
class Built:
    """One run, validated and ready: what training needs, and how it is to be recorded."""

    member: Member
    settings: Settings
    plugins: tuple[dict[str, str], ...]  # provenance of each

    @property
    def objective(self) -> str:
        """The metric that runs are ranked by; without a validation part it is the training one."""
        metric = str(self.settings.objective.metric)
        return metric if self.member.validation else metric.replace("val/", "train/", 1)


def build(config: Config) -> Built:
    """A run from plain values; UsageError or PluginError if any of it cannot be.

    The dataset is loaded (once per distinct dataset) to see that loss and metrics fit it.
    """
    values = _with_environment(config)
    settings = _settings({k: v for k, v in values.items() if k not in GROUPS})
    missing = [kind for kind in GROUPS if not isinstance(values.get(kind), Mapping)]
    allow(not missing, f"{', '.join(missing)}: a plugin must be chosen")
    chosen = {kind: build_plugin(kind, values[kind]) for kind in GROUPS}
    member = _member(settings, chosen)
    data = _loaded(member, values["dataset"]["name"])
    check_loss(member, values, data)
    metrics = _metrics(settings.metrics, data.data.task)
    _check_figures(settings)
    member = _with_metrics(member, metrics)
    used = [(kind, values[kind]["name"]) for kind in GROUPS]
    used += [("metric", name) for name, _ in metrics]
    return Built(member, settings, tuple(provenance(*each) for each in used))


def _loaded(member: Member, name: str) -> Prepared:
    try:
        return prepare_for(member)
    except (HarnessError, DataError, OSError):
        raise
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
        raise PluginError(f"{origin('dataset', name)} failed in load: {problem}") from error


def net(config: Config) -> tuple[Model, Activation, Loss, str]:
    """What predicting needs of a config: model, activation, loss and dtype; no dataset."""
    values = _with_environment({key: config[key] for key in ("model", "activation", "loss")})
    model, activation, loss = (build_plugin(kind, node) for kind, node in values.items())
    return model, activation, loss, str(config["dtype"])


def _settings(values: Mapping[str, Any]) -> Settings:
    settings: Settings = build_dataclass(Settings, values, "config")
    return settings


def _member(settings: Settings, chosen: Mapping[str, Any]) -> Member:
    plain = {
        key: getattr(settings, key)
        for key in (
            "seed",
            "data_seed",
            "rng",
            "epochs",
            "batch_size",
            "dtype",
            "validation",
            "test",
            "standardize",
        )
    }
    return Member(
        **chosen,
        **plain,
        l1=settings.penalty.l1,
        l2=settings.penalty.l2,
        clip_value=settings.clip.value,
        clip_norm=settings.clip.norm,
        patience=settings.stopping.patience,
        min_delta=settings.stopping.min_delta,
        max_seconds=settings.stopping.max_seconds,
        log_every=settings.tracking.log_every,
        metrics_every=settings.tracking.metrics_every,
    )


def _with_metrics(member: Member, metrics: tuple[tuple[str, Metric], ...]) -> Member:
    return Member(**vars(member) | {"metrics": metrics})


def check_loss(member: Member, config: Config, prepared: Prepared) -> None:
    """UsageError, with the losses that fit, if the loss is for another task than the dataset's."""
    data, task = prepared.data, member.loss.task
    classes = len(data.class_names)
    fits = task in LOSSES[data.task] and not (task == "binary" and classes != 2)
    if fits:
        y = prepared.ready("train", task, member.dtype)[1][None, :1]
        try:
            member.loss(np.zeros_like(y), y)  # class weights, say, must be as many as the classes
        except ValueError as error:
            raise UsageError(f"loss={config['loss']['name']}: {error}") from error
        return
    fitting = [name for name in names("loss") if _fits(name, data.task, classes)]
    what = f"{classes} classes" if data.task == "classification" else "regression"
    raise UsageError(
        f"loss={config['loss']['name']} is for {task} and dataset={config['dataset']['name']} "
        f"is {what}: choose loss={' or loss='.join(fitting)}"
    )


def _fits(name: str, task: str, classes: int) -> bool:
    try:
        wanted = load("loss", name).task  # type: ignore[attr-defined]
    except (PluginError, AttributeError):
        return False
    return wanted in LOSSES[task] and not (wanted == "binary" and classes != 2)


def _metrics(asked: Sequence[Any] | None, task: str) -> tuple[tuple[str, Metric], ...]:
    """The metrics of a run by name; without a wish those of the task."""
    built = []
    for entry in METRICS[task] if asked is None else asked:
        fields = {} if isinstance(entry, str) else entry
        allow(isinstance(fields, Mapping), f"metrics: {entry!r} is no name, nor {{name: {{…}}}}")
        name, values = (entry, {}) if isinstance(entry, str) else next(iter(fields.items()))
        allow(name in names("metric"), unknown("metrics", str(name), names("metric")))
        built.append((name, build_plugin("metric", {"name": name, **(values or {})})))
    return tuple(built)


def _check_figures(settings: Settings) -> None:
    for asked in (settings.figures.names, settings.figures.members):
        for name in asked or ():
            allow(name in (*names("figure"), "all"), unknown("figures", name, names("figure")))
        if asked and "all" not in asked:
            figures_for(asked)


def figures_for(asked: Sequence[str] | None) -> dict[str, Figure]:
    """Figure plugins by name: those asked for, `all`, or (null) every built-in one.

    One that is broken is an error if it is asked for by name, and else left out with a warning.
    """
    if asked is not None and "all" not in asked:
        return {name: build_plugin("figure", {"name": name}) for name in asked}
    figures = {}
    for name, entries in table()["figure"].items():
        if asked is not None or (entries[0].dist and entries[0].dist.name == BUILT_IN):
            try:
                figures[name] = build_plugin("figure", {"name": name})
            except PluginError as error:
                log.warning("left out: %s", error)
    return figures


def _with_environment(config: Config) -> Config:
    """A recorded config with its `${oc.env:…}` values looked up."""
    if "${oc.env:" not in json.dumps(config, default=str):
        return config
    try:
        resolved = OmegaConf.to_container(OmegaConf.create(config), resolve=True)
    except OmegaConfBaseException as error:
        raise UsageError(str(error).splitlines()[0]) from error
    assert isinstance(resolved, dict)
    return {str(key): value for key, value in resolved.items()}
