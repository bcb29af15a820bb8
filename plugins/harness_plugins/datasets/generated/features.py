"""Names and checks of the features of generated datasets."""

from __future__ import annotations

from harness_plugins.ranges import at_least


def numbered(features: int) -> tuple[str, ...]:
    """Return names x1, x2, … of features."""
    return tuple(f"x{i + 1}" for i in range(features))


def some_inform(features: int, informative: int) -> None:
    """Raise ValueError unless 1 ≤ informative ≤ features."""
    at_least(1, features=features)
    if not 1 <= informative <= features:
        message = f"informative must be a whole number from 1 to {features}, not {informative}"
        raise ValueError(message)
