"""What MLflow takes: names and values that it would refuse are changed visibly, and said once."""

import logging
import posixpath
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

KEY, PARAM, TAG, NAME, DATASET = 250, 6000, 8000, 250, 500
MARK = "… (cut)"
_log = logging.getLogger(__name__)


class Fit:
    """Fits names and values to the limits; the first change is a warning, the others are quiet."""

    def __init__(self) -> None:
        self._said = False

    def params(self, values: Mapping[str, str]) -> dict[str, str]:
        return self._pairs(values, PARAM)

    def tags(self, values: Mapping[str, str]) -> dict[str, str]:
        return self._pairs(values, TAG)

    def text(self, value: str, limit: int, what: str) -> str:
        """The value, or as much of it as fits, with a mark that says so."""
        if len(value) <= limit:
            return value
        self._say(f"{what} is longer than the {limit} characters that MLflow takes: cut")
        return value[: limit - len(MARK)] + MARK

    def names(self, keys: Iterable[str]) -> dict[str, str]:
        """Each key with the name it goes by in MLflow: allowed, short enough, no two the same."""
        found: dict[str, str] = {}
        taken: set[str] = set()
        for key in keys:
            name, count = self._name(key), 1
            while name in taken:
                count += 1
                name = f"{self._name(key)[: KEY - 4]}_{count}"
            taken.add(name)
            found[key] = name
        return found

    def _pairs(self, values: Mapping[str, str], limit: int) -> dict[str, str]:
        names = self.names(values)
        return {names[key]: self.text(value, limit, key) for key, value in values.items()}

    def _name(self, key: str) -> str:
        name = fit_name(key)
        if name != key:
            self._say(f"{key!r} is not a name that MLflow takes: recorded as {name!r}")
        return self.text(name, KEY, repr(key[:40]))

    def _say(self, message: str) -> None:
        if not self._said:
            _log.warning("%s", message)
        self._said = True


@lru_cache(maxsize=1000)
def fit_name(key: str) -> str:
    """The key itself, or a name like it with only what MLflow allows."""
    name = re.sub(r"[^/\w.\- :]", "_", key) or "_"
    if posixpath.normpath(name) != name or name.startswith(("/", "..")) or name == ".":
        name = name.replace("/", "_").replace("..", "__")
    return name


def fit_lines(text: str, limit: int = TAG) -> str:
    """The text, or as many of its first lines as fit, with a last line that says so."""
    if len(text) <= limit:
        return text
    last = "\n\n… (cut: the whole table is in leaderboard.csv)"
    return text[: limit - len(last)].rpartition("\n")[0] + last
