"""Look at the overrides of a command as they were typed."""

import logging
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from harness.errors import UsageError

log = logging.getLogger(__name__)


def check_repeated_keys(lines: Sequence[str], sweep: bool) -> None:
    """Raise UsageError for a key that a sweep is given twice; warn of it for a single run.

    A shell makes two arguments of `key={1,2}`, of which Hydra would take the last one.
    """
    given: dict[str, list[Override]] = {}
    for override in OverridesParser.create().parse_overrides([*lines]):
        # A deletion gives no value, and a mapping is merged with the others.
        if not (override.is_delete() or isinstance(override.value(), dict)):
            given.setdefault(override.get_key_element().lstrip("+"), []).append(override)
    for key, several in given.items():
        values = [str(override.input_line).partition("=")[2] for override in several]
        if len(values) == 1:
            continue
        often = "twice" if len(values) == 2 else f"{len(values)} times"
        text = f"{key} is given {often}: {' and '.join(f'{key}={value}' for value in values)}"
        if sweep:
            raise UsageError(f"{text}\nto sweep over all of them: {key}={','.join(values)}")
        log.warning("%s; the last one counts", text)
