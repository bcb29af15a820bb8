"""The conformance kit: what every plugin must do, as checks whose names are the sentences.

For `harness check`, for the tests of a plugin's author, and for our own: see docs/plugins.md.
"""

from harness.checks.kit import Failure, Skip
from harness.checks.running import checks_of, parametrize_checks, variants

__all__ = ["Failure", "Skip", "checks_of", "parametrize_checks", "variants"]
