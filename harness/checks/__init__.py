"""The conformance kit: checks of the plugin contract; the name of a check says what it checks.

`harness check`, the tests of plugin authors and the built-in plugins' tests all use these
checks. docs/plugins.md describes the contract.
"""

from harness.checks.kit import Failure, Skip
from harness.checks.running import checks_of, parametrize_checks, variants

__all__ = ["Failure", "Skip", "checks_of", "parametrize_checks", "variants"]
