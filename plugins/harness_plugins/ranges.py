"""What a plugin's numbers may be, and how it is said when they are not: by a ValueError."""

from __future__ import annotations

import math
from collections.abc import Callable


def positive(**fields: float) -> None:
    """Each is above 0 and finite."""
    _expect("positive and finite", lambda value: 0 < value < math.inf, fields)


def not_negative(**fields: float) -> None:
    """Each is 0 or more, and finite."""
    _expect("0 or more", lambda value: 0 <= value < math.inf, fields)


def fraction(**fields: float) -> None:
    """Each is in [0, 1)."""
    _expect("in [0, 1)", lambda value: 0 <= value < 1, fields)


def decay(**fields: float) -> None:
    """Each is in (0, 1]: a factor that lets nothing grow."""
    _expect("in (0, 1]", lambda value: 0 < value <= 1, fields)


def finite(**fields: float) -> None:
    """Each is finite."""
    _expect("finite", math.isfinite, fields)


def at_least(least: int, **fields: int) -> None:
    """Each is that or more."""
    _expect(f"{least} or more", lambda value: value >= least, fields)


def samples_and_noise(samples: int, noise: float, least: int) -> None:
    """Require at least `least` samples, and a finite noise that is not negative."""
    at_least(least, samples=samples)
    not_negative(noise=noise)


def _expect(rule: str, holds: Callable[[float], bool], fields: dict[str, float]) -> None:
    for name, value in fields.items():
        if not holds(value):
            raise ValueError(f"{name} must be {rule}, not {value}")
