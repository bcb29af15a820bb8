"""Bad activations: for the checks of activations, and for those that all kinds share."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from harness.config.registry import load_plugin
from tests.support.planted.making import bad

Identity, Sigmoid, Tanh = (
    load_plugin("activation", name) for name in ("identity", "sigmoid", "tanh")
)


@dataclass
class Thawed:
    """h = z."""


@dataclass(frozen=True)
class Halfway:
    """h = z, and no derivative."""

    def __call__(self, z):
        return z.copy()


@dataclass(frozen=True)
class Untyped(Tanh):
    """A field of any type."""

    slope: Any = 1.0


@dataclass(frozen=True)
class Widened(Tanh):
    """What looks like a field, and is none."""

    width = 1.0


@dataclass(frozen=True)
class Listed(Tanh):
    """A field that cannot be hashed."""

    knots: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Silent:
    slope: float = 1.0


@dataclass(frozen=True)
class Growing(Tanh):
    """A field that is not what was given."""

    slope: float = 1.0

    def __post_init__(self):
        object.__setattr__(self, "slope", 2 * self.slope)


class Forgetful(Tanh):
    """Adds how often it was called before."""

    calls: ClassVar[list] = []

    def __call__(self, z):
        self.calls.append(len(z))
        return np.tanh(z) + len(self.calls)


class Deaf(Tanh):
    """Takes `out` and does not write to it."""

    def __call__(self, z, out=None):
        return np.tanh(z)


ACTIVATIONS: dict[str, tuple[str, Any]] = {
    "check_plugin_is_a_frozen_dataclass": ("activation", Thawed()),
    "check_plugin_has_the_methods_of_its_kind": ("activation", Halfway()),
    "check_plugin_types_its_fields": ("activation", Untyped()),
    "check_plugin_annotates_its_fields": ("activation", Widened()),
    "check_plugin_has_usable_defaults": ("activation", Listed()),
    "check_plugin_is_documented": ("activation", Silent()),
    "check_plugin_pickles": ("activation", bad(Tanh)),
    "check_plugin_round_trips_through_config": ("activation", Growing()),
    "check_plugin_leaves_its_inputs_alone": (
        "activation",
        bad(Tanh, derivative=lambda self, z, h: 1 - np.multiply(h, h, out=h)),
    ),
    "check_plugin_returns_new_arrays": ("activation", bad(Identity, __call__=lambda self, z: z)),
    "check_plugin_uses_no_global_randomness": (
        "activation",
        bad(Tanh, __call__=lambda self, z: np.tanh(z) + 0 * np.random.random()),  # noqa: NPY002
    ),
    "check_plugin_gives_the_same_bits_again": (
        "activation",
        bad(Tanh, __call__=lambda self, z: np.tanh(z) + np.random.default_rng().random()),
    ),
    "check_plugin_keeps_no_state_in_itself": ("activation", Forgetful()),
    "check_plugin_stacks_bit_for_bit": (
        "activation",
        bad(Tanh, __call__=lambda self, z: np.tanh(z - z.mean())),
    ),
    "check_plugin_keeps_the_dtype": (
        "activation",
        bad(Tanh, __call__=lambda self, z: np.sqrt(2) * np.tanh(z)),
    ),
    "check_activation_takes_any_shape": (
        "activation",
        bad(Tanh, __call__=lambda self, z: np.tanh(z - z.mean(axis=-1, keepdims=True))),
    ),
    "check_activation_derivative_is_its_slope": (
        "activation",
        bad(Tanh, derivative=lambda self, z, h: 2 * (1 - h * h)),
    ),
    "check_activation_is_finite_far_out": (
        "activation",
        bad(Sigmoid, __call__=lambda self, z: np.exp(z) / (1 + np.exp(z))),
    ),
    "check_activation_warns_of_nothing": (
        "activation",
        bad(Sigmoid, __call__=lambda self, z: 1 / (1 + np.exp(-z))),
    ),
    "check_activation_writes_where_out_says": ("activation", Deaf()),
}
