"""Bad plugins, one for each check of the conformance kit."""

from typing import Any

from tests.support.planted.activations import ACTIVATIONS
from tests.support.planted.others import OTHERS

# The name of a check -> the kind, and a plugin that it catches.
TABLE: dict[str, tuple[str, Any]] = ACTIVATIONS | OTHERS
