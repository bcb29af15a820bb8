"""The limits of MLflow: names and values that it would refuse are changed, with one warning."""

import logging
import posixpath
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

KEY, PARAM, TAG, NAME, DATASET = 250, 6000, 8000, 250, 500
MARK = "… (cut)"
_log = logging.getLogger(__name__)


class Fit:
    """A fitter of names and values to the limits, which warns of its first change only."""

    def __init__(self) -> None:
        self._warned = False

    def pairs(self, values: Mapping[str, str], limit: int) -> dict[str, str]:
        """Return params or tags with names and values that fit."""
        names = self.names(values)
        return {names[key]: self.text(value, limit, key) for key, value in values.items()}

    def text(self, value: str, limit: int, what: str) -> str:
        """Return the value, or as much of it as fits and a mark."""
        if len(value) <= limit:
            return value
        self._warn(f"{what} is longer than the {limit} characters that MLflow takes: cut")
        return value[: limit - len(MARK)] + MARK

    def names(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the name of each key in MLflow: allowed, short enough, no two the same."""
        found: dict[str, str] = {}
        used: set[str] = set()
        for key in keys:
            name, count = self._name(key), 1
            while name in used:
                count += 1
                name = f"{self._name(key)[: KEY - 4]}_{count}"
            used.add(name)
            found[key] = name
        return found

    def _name(self, key: str) -> str:
        name = fit_name(key)
        if name != key:
            self._warn(f"{key!r} is not a name that MLflow takes: recorded as {name!r}")
        return self.text(name, KEY, repr(key[:40]))

    def _warn(self, message: str) -> None:
        if not self._warned:
            _log.warning("%s", message)
        self._warned = True


@lru_cache(maxsize=1000)
def fit_name(key: str) -> str:
    """Return the key, its characters replaced that MLflow does not allow in a name."""
    name = re.sub(r"[^/\w.\- :]", "_", key) or "_"
    if posixpath.normpath(name) != name or name.startswith(("/", "..")) or name == ".":
        name = name.replace("/", "_").replace("..", "__")
    return name


def fit_lines(text: str, limit: int = TAG) -> str:
    """Return the text, or as many of its first lines as fit and a line that tells so."""
    if len(text) <= limit:
        return text
    last = "\n\n… (cut: the whole table is in leaderboard.csv)"
    return text[: limit - len(last)].rpartition("\n")[0] + last
