"""Turn Hydra's grammar for sweeps into the search space of Optuna."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException

from harness.errors import require

Lines = list[str]


@dataclass(frozen=True)
class Dimension:
    """One key that is searched. Groups are chosen first: their choice decides which keys exist."""

    key: str  # with its prefix, as in an override
    group: bool
    override: Override

    def ask(self, trial: Any) -> str:
        """Return the override that one trial tries."""
        kind, options = self._options()
        value = getattr(trial, f"suggest_{kind.lower()}")(self.key, **options)
        return f"{self.key}={value if kind == 'Categorical' else repr(value)}"

    def distribution(self) -> Any:
        """Return the values that are tried as a distribution of Optuna."""
        from optuna import distributions

        kind, options = self._options()
        return getattr(distributions, f"{kind}Distribution")(**options)

    def _options(self) -> tuple[str, dict[str, Any]]:
        """Return what Optuna calls the values of this key, and their bounds or choices."""
        sweep: Any = self.override.value()
        numbers: list[Any]
        options: dict[str, Any]
        if isinstance(sweep, IntervalSweep):
            numbers, options = [sweep.start, sweep.end], {"log": "log" in sweep.tags}
        elif isinstance(sweep, RangeSweep):
            numbers, options = [*sweep.range()], {"step": abs(sweep.step)}
        else:
            return "Categorical", {"choices": self.ends}
        low, high = min(numbers), max(numbers)
        whole = all(isinstance(value, int) for value in (low, high, *options.values()))
        return "Int" if whole else "Float", {"low": low, "high": high} | options

    @property
    def ends(self) -> list[str]:
        """All choices, always in the same order; of an interval its two ends."""
        sweep = self.override.value()
        if isinstance(sweep, IntervalSweep):
            return [repr(sweep.start), repr(sweep.end)]
        every = [*self.override.sweep_string_iterator()]
        return sorted(every) if getattr(sweep, "shuffle", False) else every


class Space:
    """The overrides of a search: some are fixed, the others are its dimensions."""

    def __init__(self, overrides: Sequence[Override], is_group: Callable[[str], bool]) -> None:
        self.fixed = [str(o.input_line) for o in overrides if not o.is_sweep_override()]
        swept = {o.get_key_element(): o for o in overrides if o.is_sweep_override()}
        dimensions = [Dimension(key, is_group(o.key_or_group), o) for key, o in swept.items()]
        for dimension in dimensions:
            _check(dimension)
        self.groups = [d for d in dimensions if d.group]
        self.fields = [d for d in dimensions if not d.group]
        require(bool(dimensions), "nothing to search: give a key several values, or an interval")

    def suggest(self, trial: Any, has: Callable[[Lines, str], bool]) -> Lines:
        """Return the overrides of one trial; a key is tried where has(overrides, key)."""
        chosen = [*self.fixed, *(d.ask(trial) for d in self.groups)]
        there = [d for d in self.fields if self._always(d) or has(chosen, d.key)]
        return [*chosen, *(d.ask(trial) for d in there)]

    def probes(self, has: Callable[[Lines, str], bool]) -> Iterator[Lines]:
        """Yield settings that have each choice of each group, and both ends of each field."""
        first = {d.key: d.ends[0] for d in self.groups}
        met: set[str] = set()
        for group in [*self.groups, None]:
            for choice in group.ends if group else [None]:
                picked = first if group is None else first | {group.key: choice}
                chosen = [*self.fixed, *(f"{key}={value}" for key, value in picked.items())]
                there = [d for d in self.fields if self._always(d) or has(chosen, d.key)]
                met |= {d.key for d in there}
                for end in (0, -1):
                    yield [*chosen, *(f"{d.key}={d.ends[end]}" for d in there)]
        for d in self.fields:  # a key that no choice has: composing it raises the error
            if d.key not in met:
                yield [*chosen, f"{d.key}={d.ends[0]}"]

    def _always(self, dimension: Dimension) -> bool:
        """Return whether a key is tried with any choices: a plain one, or one added with +."""
        return dimension.key.startswith("+") or "." not in dimension.key


def format_distribution(space: Any) -> str:
    """Return the values of a distribution of Optuna in Hydra's grammar."""
    if hasattr(space, "choices"):
        return ",".join(map(str, space.choices))
    if space.step not in (None, 1):
        return f"range({space.low},{space.high},{space.step})"
    text = f"interval({space.low},{space.high})"
    text = f"int({text})" if isinstance(space.low, int) else text
    return f"tag(log,{text})" if space.log else text


def _check(dimension: Dimension) -> None:
    """Raise UsageError if a sweep is empty, or an interval is none."""
    line, sweep = dimension.override.input_line, dimension.override.value()
    try:
        ends = dimension.ends
    except HydraException as error:
        require(False, f"{line}: {error}")
    require(bool(ends), f"{line}: there is nothing to choose from")
    if isinstance(sweep, IntervalSweep):
        low, high = float(sweep.start or 0), float(sweep.end or 0)
        require(low < high, f"{line}: an interval goes from a number to a greater one")
        require("log" not in sweep.tags or low > 0, f"{line}: log needs numbers above 0")
