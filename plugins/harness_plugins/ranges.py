"""What a plugin's numbers may be, and how it is said when they are not."""

import math


def positive(**fields: float) -> None:
    """ValueError unless each is above 0 and finite."""
    for name, value in fields.items():
        if not 0 < value < math.inf:
            raise ValueError(f"{name} must be positive and finite, not {value}")


def not_negative(**fields: float) -> None:
    """ValueError unless each is 0 or more, and finite."""
    for name, value in fields.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} must be 0 or more, not {value}")


def fraction(**fields: float) -> None:
    """ValueError unless each is in [0, 1)."""
    for name, value in fields.items():
        if not 0 <= value < 1:
            raise ValueError(f"{name} must be in [0, 1), not {value}")
