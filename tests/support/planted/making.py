"""Makes bad plugins of good ones."""

from typing import Any


def bad(base: type, **changes: Any) -> Any:
    """Like a good plugin, but for these methods."""
    return type(f"Bad{base.__name__}", (base,), changes)()
