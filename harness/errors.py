"""Exceptions of the harness by cause; `cli.py` alone turns them into exit codes.

Unusable data has its own error, `contracts.DataError`, because datasets raise it.
"""

import re
import signal
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches


class HarnessError(Exception):
    """An error with one to three lines of text: what is wrong, where, and what is allowed."""

    exit_code = 1


class UsageError(HarnessError):
    """The command line or the config asks for something that does not exist or is not allowed."""

    exit_code = 2


class PluginError(UsageError):
    """A plugin cannot be used; the text names it, its distribution, and the phase."""


class DiskError(HarnessError):
    """The disk refuses to write: it is full or read-only, or the file is too large."""

    exit_code = 74


class TrackingError(HarnessError):
    """The tracking store cannot be reached, or refuses; everything trained is kept on disk."""

    exit_code = 75


class OutOfReach(TrackingError):
    """The tracking store does not answer or is busy; a later try may succeed."""


class Stopped(KeyboardInterrupt):
    """Ctrl-C was pressed; a plugin's `except Exception` does not swallow this."""


class Terminated(Stopped):
    """SIGTERM was received; like Stopped."""


def is_interruption(error: BaseException) -> bool:
    """Return True for a signal or GeneratorExit: the caller stops, and blames no plugin."""
    if type(error) is KeyboardInterrupt:  # raised by Python itself, if it handles Ctrl-C
        return signal.getsignal(signal.SIGINT) is signal.default_int_handler
    return isinstance(error, Stopped | GeneratorExit)


def require(good: bool, message: str) -> None:
    """Raise UsageError with this message unless `good` is true."""
    if not good:
        raise UsageError(message)


def require_known(
    what: str, name: str, known: Collection[str], elsewhere: Iterable[str] = ()
) -> None:
    """Raise UsageError, which is `unknown_name`, unless `name` is one of the known names."""
    if name not in known:
        raise UsageError(unknown_name(what, name, known, elsewhere))


def unknown_name(
    what: str, name: str, allowed: Collection[str], elsewhere: Iterable[str] = ()
) -> str:
    """Return the message for an unknown name, with the most similar known names.

    `elsewhere` are dotted names that are suggested by their last part, but not listed.
    """
    near = similar_names(str(name), [*allowed, *elsewhere])
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"{what}: there is no {name!r}.{hint} Available: {', '.join(allowed) or 'none'}"


TEXTS: dict[str, str] = {}  # that environment variables held when they were read, and their names


def note_text(name: str, text: str) -> None:
    """Remember that an environment variable held this text, so that messages can leave it out.

    Of an address only user and password are left out: it is the name of a place.
    """
    secret = text.partition("://")[2].rpartition("@")[0] if "://" in text else text
    if secret.strip():
        TEXTS[secret] = name


def hide_texts(message: str) -> str:
    """Return a message with `${oc.env:NAME}` in place of each text that a variable held."""
    for text in sorted(TEXTS, key=len, reverse=True):
        parts = re.split(rf"(?<!\w){re.escape(text)}(?!\w)", message)
        message = f"${{oc.env:{TEXTS[text]}}}".join(parts)
    return message


@contextmanager
def hidden_texts() -> Iterator[None]:
    """Context manager: leave texts of the environment out of an error and of its causes."""
    try:
        yield
    except Exception as error:
        chain, seen = [error], set[int]()
        while chain and id(each := chain.pop()) not in seen:
            seen.add(id(each))
            _hide_in(each)
            chain += [e for e in (each.__cause__, each.__context__) if isinstance(e, Exception)]
        raise


def _hide_in(error: Exception) -> None:
    error.args = tuple(hide_texts(a) if isinstance(a, str) else a for a in error.args)
    for key, value in {"filename": getattr(error, "filename", None), **vars(error)}.items():
        if isinstance(value, str):
            setattr(error, key, hide_texts(value))


def similar_names(name: str, known: Iterable[str]) -> list[str]:
    """Return at most three of the known names that `name` may stand for, the likeliest kind only.

    A name is the same but for case and signs between words (`LeakyReLU`), or has these initials
    (`lr` for `learning_rate`), or has a word that begins so (`hid`), or is spelt alike, or has
    these letters in this order (`ls` for `plugins`). Of a dotted name its last part counts.
    """
    asked = _plain(name)
    names = {full: full.rpartition(".")[2].lower() for full in dict.fromkeys(known)}
    spelt = get_close_matches(asked, map(_plain, names.values()), n=3, cutoff=0.5)
    kinds: tuple[Callable[[str], bool], ...] = (
        lambda leaf: _plain(leaf) == asked,
        lambda leaf: len(asked) > 1 and "".join(w[0] for w in _words(leaf)) == asked,
        lambda leaf: len(asked) > 1 and any(word.startswith(asked) for word in _words(leaf)),
        lambda leaf: _plain(leaf) in spelt,
        lambda leaf: len(asked) > 1 and _in_order(asked, _plain(leaf)),
    )
    found = ([full for full, leaf in names.items() if alike(leaf)] for alike in kinds)
    order = {leaf: place for place, leaf in enumerate(spelt)}
    nearest = sorted(next(filter(None, found), []), key=lambda n: order.get(_plain(names[n]), 3))
    return nearest[:3]


def _in_order(letters: str, name: str) -> bool:
    rest = iter(name)
    return all(letter in rest for letter in letters)


def _words(name: str) -> list[str]:
    return re.findall(r"[^\W_]+", name)


def _plain(name: str) -> str:
    return "".join(_words(name.lower()))
