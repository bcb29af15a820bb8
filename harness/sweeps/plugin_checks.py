"""A plugin of somebody else's is checked when a run first uses it: wrong slopes go unseen else."""

import hashlib
import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from harness.config.plugin_files import VERSION
from harness.config.registry import DISTRIBUTION
from harness.errors import DiskError, is_interruption
from harness.store.files import user_cache, write_atomically
from harness.training.runtime import watch_global_rng
from harness.training.stack import Member

log = logging.getLogger(__name__)

SECONDS = 0.4  # after which no further check is begun
# Slope and shape: what training goes wrong by without a word. Datasets may take long to load.
CHECKS = {
    "activation": ("derivative_is_its_slope", "takes_any_shape"),
    "initializer": ("has_a_row_for_the_bias",),
    "loss": ("is_one_number_a_run", "gradient_is_its_slope"),
    "metric": ("is_one_number_a_run",),
    "model": ("predicts_in_the_right_shape", "gradient_is_its_slope"),
    "optimizer": ("changes_have_the_weights_shape_and_dtype",),
    "schedule": ("gives_a_column",),
}

_seen: set[tuple[str, ...]] = set()  # plugins that this process has looked at


def warn_of_wrong_plugins(member: Member, plugins: Iterable[dict[str, str]]) -> None:
    """Warn of plugins of other distributions, or of one file, whose slope or shape is wrong.

    Each is checked once, as long as its source stays as it is; the user's cache has the outcome.
    Nothing that happens here stops a run.
    """
    for plugin, instance in _strangers(member, plugins):
        key = tuple(plugin.values())
        if key in _seen:
            continue
        _seen.add(key)
        try:
            if problem := _problem(plugin, instance):
                log.warning("%s", problem)
        except BaseException as error:  # a plugin's SystemExit, too
            if is_interruption(error):
                raise


def _strangers(
    member: Member, plugins: Iterable[dict[str, str]]
) -> Iterator[tuple[dict[str, str], Any]]:
    """Yield the recorded provenance and the instance of each plugin that is not built in."""
    metrics = dict(member.metrics)
    for plugin in plugins:
        kind, name = plugin["kind"], plugin["name"]
        own = plugin["distribution"] == DISTRIBUTION and plugin["version"] != VERSION
        if kind in CHECKS and not own:
            yield plugin, metrics[name] if kind == "metric" else getattr(member, kind)


def _problem(known: dict[str, str], instance: Any) -> str:
    """Return what is wrong, "" if nothing is: from the cache, or by checking now."""
    from harness.checks.running import checks_of, outcome

    text = repr((sorted(known.items()), CHECKS))
    path = user_cache() / "checked" / hashlib.sha256(text.encode()).hexdigest()[:16]
    with suppress(OSError, UnicodeError):
        return path.read_text("utf-8")
    kind, problem, began = known["kind"], "", time.perf_counter()
    every = checks_of(kind)
    with watch_global_rng():
        for name in CHECKS[kind]:
            result, detail = outcome(every[name], _usual(instance), kind)
            if result == "failed":
                title, shown = f"{kind}/{known['name']}", detail.replace("\n", "\n    ")
                problem = f"{title} fails a check, the run goes on: {name}\n    {shown}"
                problem += f"\n  all checks: harness check {title}"
            if problem or time.perf_counter() - began > SECONDS:
                break
    with suppress(DiskError, OSError, UnicodeError):
        write_atomically(path, problem.encode())
    return problem


def _usual(instance: Any) -> Any:
    """Return the plugin with its defaults, as `harness check` sees it; as it is if it has none."""
    with suppress(TypeError, ValueError):
        return type(instance)()
    return instance
