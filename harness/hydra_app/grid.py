"""List the combinations of a grid: some keys are paired, some combinations are excluded."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any

from hydra.core.override_parser.types import Override

from harness.errors import require, require_known
from harness.store.params import format_value

log = logging.getLogger(__name__)

Lines = list[str]


def grid_combinations(
    overrides: Iterable[Override], paired: Sequence[Sequence[str]]
) -> list[Lines]:
    """Return the overrides of each job of a grid.

    The keys of a `paired` list take their first values together, then their second ones, and so
    on. All other keys are combined with each other.
    """
    axes: dict[str, list[Lines]] = {}
    for override in overrides:
        key = override.get_key_element()
        if not override.is_sweep_override():
            axes[key] = [[f"{key}={override.get_value_element_as_str()}"]]
            continue
        where = f"{override.input_line}: a grid takes choices and ranges"
        require(
            override.is_discrete_sweep(), f"{where}; hydra/sweeper=optuna searches an interval"
        )
        axes[key] = [[f"{key}={value}"] for value in override.sweep_string_iterator()]
    for keys in paired:
        _pair(axes, keys)
    return [[line for lines in each for line in lines] for each in product(*axes.values())]


def _pair(axes: dict[str, list[Lines]], keys: Sequence[str]) -> None:
    """Join several axes to one, in the place of the first of them."""
    text = f"hydra.sweeper.zip: {format_value(keys)}"
    require(isinstance(keys, Sequence) and not isinstance(keys, str), f"{text}: a list of keys")
    keys = [str(key) for key in keys]
    require(len({*keys}) == len(keys) > 1, f"{text}: two keys or more, each once")
    for key in keys:
        require_known(f"{text}: what is swept, and in no other pair", key, axes)
    lengths = {key: len(axes[key]) for key in keys}
    counts = ", ".join(f"{key} has {length}" for key, length in lengths.items())
    require(len({*lengths.values()}) == 1, f"{text}: as many values of each; {counts}")
    together = zip(*(axes[key] for key in keys), strict=True)
    axes[keys[0]] = [[line for lines in each for line in lines] for each in together]
    for key in keys[1:]:
        del axes[key]


class Exclusion:
    """The entries of `hydra.sweeper.exclude`: a job is left out if it matches all of one entry."""

    def __init__(self, entries: Any) -> None:
        right = isinstance(entries, Sequence) and all(
            isinstance(e, Mapping) and e for e in entries
        )
        example = "[{activation: relu, optimizer.learning_rate: 0.1}]"
        require(right, f"hydra.sweeper.exclude={format_value(entries)}: a list like {example}")
        self.entries = [{str(key): value for key, value in entry.items()} for entry in entries]
        self._hits = [0] * len(self.entries)
        self._known: set[str] = set()

    def excludes(self, values: Mapping[str, Any], choices: Mapping[str, Any]) -> bool:
        """Return whether to leave a job out, by its flat config and the choices of its groups."""
        self._known |= {*values, *choices}
        job = [*values.items(), *choices.items()]
        found = [all(pair in job for pair in entry.items()) for entry in self.entries]
        self._hits = [hits + hit for hits, hit in zip(self._hits, found, strict=True)]
        return any(found)

    def check(self) -> None:
        """Raise UsageError for a key that no job had; warn of an entry that matched no job."""
        for key in (key for entry in self.entries for key in entry):
            require_known("hydra.sweeper.exclude", key, sorted(self._known))
        for entry, hits in zip(self.entries, self._hits, strict=True):
            if not hits:
                log.warning("hydra.sweeper.exclude: %s leaves nothing out", format_value(entry))
