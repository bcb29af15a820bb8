"""What can be set: a plugin's fields as typed options, and the settings that are no plugin's."""

import types
import typing
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass, make_dataclass
from enum import Enum
from functools import cache
from typing import Any

from omegaconf import Container, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from harness.errors import PluginError, UsageError
from harness.registry import load, origin, unknown

GROUPS = (
    "dataset",
    "model",
    "activation",
    "optimizer",
    "loss",
    "initializer",
    "schedule",
)


def allow(good: bool, what: str) -> None:
    """UsageError that says what is allowed, unless it is so."""
    if not good:
        raise UsageError(what)


@dataclass(frozen=True)
class Penalty:
    l1: float = 0.0
    l2: float = 0.0

    def __post_init__(self) -> None:
        allow(self.l1 >= 0, f"penalty.l1={self.l1}: at least 0")
        allow(self.l2 >= 0, f"penalty.l2={self.l2}: at least 0")


@dataclass(frozen=True)
class Clip:
    value: float | None = None
    norm: float | None = None

    def __post_init__(self) -> None:
        allow(self.value is None or self.value > 0, f"clip.value={self.value}: above 0, or null")
        allow(self.norm is None or self.norm > 0, f"clip.norm={self.norm}: above 0, or null")


@dataclass(frozen=True)
class Stopping:
    patience: int | None = None
    min_delta: float = 0.0
    max_seconds: float | None = None

    def __post_init__(self) -> None:
        patience, seconds = self.patience, self.max_seconds
        allow(patience is None or patience > 0, f"stopping.patience={patience}: above 0, or null")
        allow(self.min_delta >= 0, f"stopping.min_delta={self.min_delta}: at least 0")
        allow(seconds is None or seconds > 0, f"stopping.max_seconds={seconds}: above 0, or null")


@dataclass(frozen=True)
class Objective:
    metric: str | list[str] = "val/best_loss"
    direction: str | list[str] = "minimize"

    def __post_init__(self) -> None:
        several = not (isinstance(self.metric, str) and isinstance(self.direction, str))
        allow(not several, "objective: several objectives need a search, which is not here yet")
        known = ("minimize", "maximize")
        allow(
            self.direction in known, f"objective.direction={self.direction}: {' or '.join(known)}"
        )


@dataclass(frozen=True)
class Figures:
    names: list[str] | None = None
    members: list[str] = field(default_factory=lambda: ["loss"])
    best: int = 10
    timeline: bool = False

    def __post_init__(self) -> None:
        allow(self.best >= 0, f"figures.best={self.best}: at least 0")
        allow(not self.timeline, "figures.timeline=true: not available yet; false is")


@dataclass(frozen=True)
class Run:
    timeout: float | None = None
    checkpoint_seconds: float = 30

    def __post_init__(self) -> None:
        allow(self.timeout is None, f"run.timeout={self.timeout}: not available yet; null is")
        default = self.checkpoint_seconds == 30
        allow(default, "run.checkpoint_seconds: not available yet; leave it at 30")


@dataclass(frozen=True)
class Tracking:
    uri: str | None = None
    experiment: str | None = None
    run_name: str | None = None
    tags: dict[str, Any] = field(default_factory=dict)
    log_every: int | None = None
    metrics_every: int | None = None
    model: str = "best"
    required: bool = False

    def __post_init__(self) -> None:
        for key in ("log_every", "metrics_every"):
            every = getattr(self, key)
            allow(every is None or every > 0, f"tracking.{key}={every}: above 0, or null")
        known = ("all", "best", "none")
        allow(self.model in known, f"tracking.model={self.model}: {', '.join(known)}")
        allow(not self.required, "tracking.required=true: not available yet; false is")


@dataclass(frozen=True)
class Settings:
    """Every setting that is no plugin's, with its range; conf/config.yaml holds the defaults."""

    seed: int
    data_seed: int | None
    rng: str
    epochs: int
    batch_size: int | None
    dtype: str
    validation: float
    test: float
    standardize: bool | None
    repeats: int
    penalty: Penalty
    clip: Clip
    stopping: Stopping
    objective: Objective
    metrics: list[Any] | None
    figures: Figures
    run: Run
    tracking: Tracking

    def __post_init__(self) -> None:
        size = self.batch_size
        allow(self.seed >= 0, f"seed={self.seed}: at least 0")
        allow(self.epochs >= 1, f"epochs={self.epochs}: at least 1")
        allow(size is None or size >= 1, f"batch_size={size}: at least 1, or null for full batch")
        allow(self.dtype in ("float64", "float32"), f"dtype={self.dtype}: float64 or float32")
        allow(0 <= self.validation < 1, f"validation={self.validation}: from 0 to below 1")
        allow(0 <= self.test < 1, f"test={self.test}: from 0 to below 1")
        allow(
            self.validation + self.test < 1, "validation + test: below 1, to leave a training part"
        )
        allow(self.repeats == 1, f"repeats={self.repeats}: not available yet; 1 is")
        self._allow_rng()

    def _allow_rng(self) -> None:
        allow(self.rng in ("split", "single"), f"rng={self.rng}: split or single")
        if self.rng == "single":
            allow(
                self.data_seed is None,
                "rng=single draws all from `seed`: data_seed=null goes with it",
            )
        else:
            seed = self.data_seed
            allow(
                seed is not None and seed >= 0,
                f"data_seed={seed}: at least 0 (null only with rng=single)",
            )


def construct(hint: Any, value: Any, where: str) -> Any:
    """A plain YAML value as its annotated type, lists as tuples; UsageError says what is expected.

    Hydra has checked most of it; this is the same check for what Hydra lets through.
    """
    origin_, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return _frozen(value)
    if origin_ in (types.UnionType, typing.Union):
        return _any_of(arguments, value, where)
    if is_dataclass(hint) and isinstance(value, Mapping):
        return build_dataclass(typing.cast(type, hint), value, where)
    if origin_ is typing.Literal:
        allow(value in arguments, f"{where}={value}: one of {', '.join(map(str, arguments))}")
        return value
    if isinstance(hint, type) and issubclass(hint, Enum) and isinstance(value, str):
        known = [*hint.__members__]
        allow(value in known, f"{where}={value}: one of {', '.join(known)}")
        return hint[value]
    if origin_ in (list, tuple, Sequence):
        return _sequence(origin_, arguments, value, where)
    if origin_ is dict or hint is dict:
        allow(isinstance(value, Mapping), f"{where}={value}: a mapping is expected")
        return dict(value)
    return _scalar(hint, value, where)


def _scalar(hint: Any, value: Any, where: str) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if hint is float and number:
        return float(value)
    if hint is int and number and value == int(value):
        return int(value)
    if isinstance(hint, type) and isinstance(value, hint) and type(value) is hint:
        return value
    name = "null" if hint is types.NoneType else getattr(hint, "__name__", str(hint))
    raise UsageError(f"{where}={value}: {name} is expected")


def _any_of(hints: Sequence[Any], value: Any, where: str) -> Any:
    if value is None and types.NoneType in hints:
        return None
    expected = []
    for hint in hints:
        try:
            return construct(hint, value, where)
        except UsageError as error:
            expected.append(error)
    raise next(e for e, hint in zip(expected, hints, strict=True) if hint is not types.NoneType)


def _sequence(kind: Any, hints: Sequence[Any], value: Any, where: str) -> tuple[Any, ...]:
    allow(isinstance(value, list | tuple), f"{where}={value}: a list is expected, as in [1, 2]")
    if kind is tuple and Ellipsis not in hints:
        allow(len(value) == len(hints), f"{where}={value}: {len(hints)} items are expected")
        pairs = zip(hints, value, strict=True)
    else:
        pairs = zip([hints[0] if hints else Any] * len(value), value, strict=True)
    return tuple(construct(hint, item, f"{where}[{i}]") for i, (hint, item) in enumerate(pairs))


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def build_dataclass(plugin: type, values: Mapping[str, Any], where: str) -> Any:
    """An instance from plain values; UsageError on an unknown, missing or ill-typed field."""
    hints = typing.get_type_hints(plugin)
    known = {f.name: f for f in fields(plugin) if f.init}
    for name in values:
        allow(name in known, unknown(f"{where}", str(name), [*known]))
    missing = [name for name, f in known.items() if name not in values and _required(f)]
    allow(not missing, f"{where}: {', '.join(missing)} must be given")
    dotted = "" if where == "config" else f"{where}."
    return plugin(**{k: construct(hints[k], v, f"{dotted}{k}") for k, v in values.items()})


def _required(f: Field[Any]) -> bool:
    return f.default is MISSING and f.default_factory is MISSING


def build_plugin(kind: str, values: Mapping[str, Any]) -> Any:
    """The plugin that a config node describes: a registered name and its fields."""
    given = dict(values)
    name = given.pop("name", None)
    if not isinstance(name, str):
        raise UsageError(
            f"{kind}: no plugin chosen; a preset needs `defaults: [<plugin>, _self_]`"
        )
    plugin, where = load(kind, name), kind if kind in GROUPS else f"{kind} {name}"
    try:
        return build_dataclass(plugin, given, where)
    except UsageError:
        raise
    except (TypeError, ValueError) as error:
        raise UsageError(f"{kind}={name}: {error}") from error
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
        raise PluginError(f"{origin(kind, name)} failed in __post_init__: {problem}") from error


@cache
def _schema(kind: str, name: str) -> DictConfig:
    try:
        node = OmegaConf.structured(twin(kind, name))
    except PluginError:
        raise
    except (OmegaConfBaseException, TypeError, NameError, ValueError) as error:
        raise PluginError(
            f"{origin(kind, name)} has a field Hydra cannot hold: {error}"
        ) from error
    _thaw(node)
    node._get_node("name")._set_flag("readonly", True)
    return typing.cast(DictConfig, node)


def schema(kind: str, name: str) -> DictConfig:
    """A plugin as a config node: `name`, then its fields, typed; PluginError if it is broken."""
    return deepcopy(_schema(kind, name))


@cache
def twin(kind: str, name: str) -> type:
    """The dataclass that OmegaConf sees for a plugin: its `name`, then its fields."""
    plugin = load(kind, name)
    if any(f.name == "name" for f in fields(plugin)):
        raise PluginError(f"{origin(kind, name)}: the field name `name` is reserved")
    hints = typing.get_type_hints(plugin)
    columns: list[Any] = [("name", str, field(default=name))]
    columns += [(f.name, *_option(hints[f.name], f)) for f in fields(plugin) if f.init]
    made = make_dataclass(plugin.__name__, columns)
    made.__module__, made.__qualname__ = __name__, f"twin__{kind}__{name}"
    return made


def __getattr__(name: str) -> Any:
    """Unpickling a composed config in another process finds its twin here."""
    if name.startswith("twin__"):
        return twin(*name.split("__")[1:3])
    raise AttributeError(name)


def _option(hint: Any, f: Field[Any]) -> tuple[Any, Any]:
    """A field's type and default as OmegaConf takes them."""
    accepted = _accepted(hint, f.name)
    default: Any = f.default
    if f.default_factory is not MISSING:
        return accepted, field(default_factory=f.default_factory)
    if default is MISSING:
        return accepted, field(default="???")
    if isinstance(default, str):
        for choice in (accepted, *typing.get_args(accepted)):
            if isinstance(choice, type) and issubclass(choice, Enum):
                default = choice[default]
    return accepted, field(default=default)


def _accepted(hint: Any, name: str) -> Any:
    """OmegaConf knows no Literal, where an Enum of the same names checks the same, nor unions."""
    if typing.get_origin(hint) is typing.Literal:
        names = typing.get_args(hint)
        return Enum(name, {n: n for n in names}) if all(isinstance(n, str) for n in names) else Any
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        inner = [h for h in typing.get_args(hint) if h is not types.NoneType]
        if len(inner) > 1:
            return Any
        return typing.Optional[_accepted(inner[0], name)]  # noqa: UP045
    return hint


def _thaw(node: Any) -> None:
    """A frozen dataclass makes a read-only config, nested ones included; options are writable."""
    OmegaConf.set_readonly(node, None)
    if OmegaConf.is_dict(node) and not node._is_none() and not node._is_missing():
        for key in node:
            child = node._get_node(key)
            if isinstance(child, Container):
                _thaw(child)
