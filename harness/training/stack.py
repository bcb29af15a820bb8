"""Stacks: runs with one signature as one, their float fields as columns that broadcast."""

import copy
import typing
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np

from harness.contracts import (
    Activation,
    Array,
    Dataset,
    Initializer,
    Loss,
    Metric,
    Model,
    Optimizer,
    Schedule,
)
from harness.training.leaves import take_runs

P = TypeVar("P")


@dataclass(frozen=True)
class Member:
    """One run as training sees it: its plugins and its plain settings."""

    dataset: Dataset
    model: Model
    activation: Activation
    optimizer: Optimizer
    loss: Loss
    initializer: Initializer
    schedule: Schedule
    metrics: tuple[tuple[str, Metric], ...] = ()
    seed: int = 0
    data_seed: int | None = 42
    rng: str = "split"
    epochs: int = 500
    batch_size: int | None = None
    dtype: str = "float64"
    validation: float = 0.2
    test: float = 0.0
    standardize: bool | None = None
    l1: float = 0.0
    l2: float = 0.0
    clip_value: float | None = None
    clip_norm: float | None = None
    patience: int | None = None
    min_delta: float = 0.0
    max_seconds: float | None = None
    timeout: float | None = None
    log_every: int | None = None
    metrics_every: int | None = None
    checkpoint_seconds: float | None = None
    last_epoch: int | None = None  # where the run ends, if `reproduce` knows that it ended early
    timeline: bool = False


def signature(member: Member) -> Hashable:
    """Return the settings that must be equal for runs to share a stack, as one hashable."""
    plugins = (member.activation, member.loss, member.optimizer, member.schedule)
    return (
        _fields(member.dataset, all_of_them=True),
        data_settings(member),
        _fields(member.model, all_of_them=True),
        *(_fields(plugin, all_of_them=False) for plugin in plugins),
        member.dtype,
        member.batch_size,
        member.epochs,
        member.timeout,
    )


def data_settings(member: Member) -> tuple[Any, ...]:
    """Return the settings that, besides the dataset, decide on a run's data; see data.prepare."""
    return (
        member.data_seed,
        member.rng,
        member.seed if member.rng == "single" else None,
        member.validation,
        member.test,
        member.standardize,
    )


def _fields(plugin: Any, *, all_of_them: bool) -> Hashable:
    free = () if all_of_them else float_fields(plugin.__class__)
    names = [f.name for f in fields(plugin) if f.name not in free]
    return (type(plugin), *((name, getattr(plugin, name)) for name in names))


@cache
def float_fields(plugin: type) -> tuple[str, ...]:
    """Return the fields that may differ inside a stack: the ones annotated exactly `float`."""
    hints = typing.get_type_hints(plugin)
    return tuple(f.name for f in fields(plugin) if hints[f.name] is float)


def columns(plugins: Sequence[P], ndim: int, dtype: Any) -> P:
    """Return one plugin for R runs: each float field is an array (R, 1, …) of `ndim` axes.

    The runs must agree on every other field. The plugins themselves have been validated.
    """
    stacked = copy.copy(plugins[0])
    for name in float_fields(cast(type, stacked.__class__)):
        values = np.array([getattr(plugin, name) for plugin in plugins], dtype)
        object.__setattr__(stacked, name, values.reshape(-1, *[1] * (ndim - 1)))
    return stacked


class Stack(NamedTuple):
    """R runs as one: plugins whose float fields are columns, and the loop's own columns (R, 1)."""

    members: tuple[Member, ...]
    model: Model
    activation: Activation
    loss: Loss
    optimizer: Optimizer
    schedule: Schedule
    l1: Array
    l2: Array
    clip_value: Array  # infinite where there is none
    clip_norm: Array
    penalised: Array  # places of the runs with a penalty, and with a cut by value or by norm
    by_value: Array
    by_norm: Array


def make_stack(members: Sequence[Member]) -> Stack:
    """Return runs that share a signature as one stack."""
    dtype = np.dtype(members[0].dtype)

    def column(values: Sequence[float | None]) -> Array:
        finite = [np.inf if value is None else value for value in values]
        return np.array(finite, dtype).reshape(-1, 1)

    l1, l2 = column([m.l1 for m in members]), column([m.l2 for m in members])
    value = column([m.clip_value for m in members])
    norm = column([m.clip_norm for m in members])
    return Stack(
        tuple(members),
        members[0].model,
        columns([m.activation for m in members], 3, dtype),
        columns([m.loss for m in members], 3, dtype),
        columns([m.optimizer for m in members], 2, dtype),
        columns([m.schedule for m in members], 2, dtype),
        l1,
        l2,
        value,
        norm,
        np.flatnonzero((l1 > 0) | (l2 > 0)),
        np.flatnonzero(np.isfinite(value)),
        np.flatnonzero(np.isfinite(norm)),
    )


class Streams(NamedTuple):
    """The random generators of A runs, (A,) each: a run's own randomness."""

    batches: Array
    dropout: Array


class Group(NamedTuple):
    """A runs in training; all parts but the stack are arrays whose first axis is the runs."""

    stack: Stack
    number: Array  # epochs that each has behind it
    rows: Array  # (A, P) weights
    state: Any  # the optimizer's
    streams: Streams
    loss: Array  # of mini-batches: the mean loss of the epoch that is behind each

    def take(self, keep: Array) -> "Group":
        """Return the group restricted to the runs where `keep` (A,) is true."""
        members = [self.stack.members[at] for at in np.flatnonzero(keep)]
        return Group(make_stack(members), *take_runs(self[1:], keep))


class Move(NamedTuple):
    """The last step of A runs: the gradient that the optimizer was given, and the change."""

    gradient: Array  # (A, P)
    change: Array


def start_group(members: Sequence[Member], rows: Array, streams: Streams) -> Group:
    """Return runs before their first epoch; `rows` (A, P) are their weights."""
    own, zero = make_stack(members), np.zeros(len(rows), rows.dtype)
    rows.setflags(write=False)
    return Group(own, zero.astype(int), rows, own.optimizer.init(rows), streams, zero)
