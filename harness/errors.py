"""What can go wrong, by whose doing; `cli.py` alone turns these into exit codes.

Unusable data has its own error, `contracts.DataError`, because datasets raise it.
"""

import signal
from collections.abc import Collection
from difflib import get_close_matches


class HarnessError(Exception):
    """One to three lines for a person: what is wrong, where, and what is allowed."""

    exit_code = 1


class UsageError(HarnessError):
    """The command line or the config asks for something that is not to be had."""

    exit_code = 2


class PluginError(UsageError):
    """A plugin cannot be used: which, of which distribution, in which phase."""


class DiskError(HarnessError):
    """The disk refuses: full, read-only, too large a file."""

    exit_code = 74


class TrackingError(HarnessError):
    """The tracking store is out of reach, or refuses; everything trained is kept."""

    exit_code = 75


class OutOfReach(TrackingError):
    """The tracking store does not answer, or is busy: later it may."""


class Stopped(KeyboardInterrupt):
    """Ctrl-C, as an exception that no plugin's `except Exception` swallows, nor raises itself."""


class Terminated(Stopped):
    """SIGTERM, alike."""


def is_interruption(error: BaseException) -> bool:
    """Whether no plugin raised this: a signal did, or whoever asks for results wants no more."""
    if type(error) is KeyboardInterrupt:  # in Python's own handling of Ctrl-C: perhaps
        return signal.getsignal(signal.SIGINT) is signal.default_int_handler
    return isinstance(error, Stopped | GeneratorExit)


def require(good: bool, what: str) -> None:
    """UsageError that says what is allowed, unless it is so."""
    if not good:
        raise UsageError(what)


def require_known(what: str, name: str, known: Collection[str]) -> None:
    """UsageError that says which names there are, unless it is one of them."""
    if name not in known:
        raise UsageError(unknown_name(what, name, [*known]))


def unknown_name(what: str, name: str, allowed: list[str]) -> str:
    """The sentence for a name that is not there, with the nearest ones that are."""
    near = get_close_matches(str(name), allowed, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"{what}: there is no {name!r}.{hint} Available: {', '.join(allowed) or 'none'}"
