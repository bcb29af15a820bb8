"""Checks of the numbers in a plugin's fields; each raises ValueError that names the field."""

from __future__ import annotations

import math
from collections.abc import Callable


def positive(**fields: float) -> None:
    """Require each to be above 0 and finite."""
    _expect("positive and finite", lambda value: 0 < value < math.inf, fields)


def not_negative(**fields: float) -> None:
    """Require each to be 0 or more, and finite."""
    _expect("0 or more", lambda value: 0 <= value < math.inf, fields)


def fraction(**fields: float) -> None:
    """Require each to be in [0, 1)."""
    _expect("in [0, 1)", lambda value: 0 <= value < 1, fields)


def decay(**fields: float) -> None:
    """Require each to be in (0, 1]: a factor that lets no number grow."""
    _expect("in (0, 1]", lambda value: 0 < value <= 1, fields)


def finite(**fields: float) -> None:
    """Require each to be finite."""
    _expect("finite", math.isfinite, fields)


def at_least(least: int, **fields: int) -> None:
    """Require each to be `least` or more."""
    _expect(f"{least} or more", lambda value: value >= least, fields)


def samples_and_noise(samples: int, noise: float, least: int) -> None:
    """Require at least `least` samples, and a finite noise that is not negative."""
    at_least(least, samples=samples)
    not_negative(noise=noise)


def _expect(rule: str, holds: Callable[[float], bool], fields: dict[str, float]) -> None:
    for name, value in fields.items():
        if not holds(value):
            raise ValueError(f"{name} must be {rule}, not {value}")
