"""Find the plugin at fault when a run raises, and its method, from the traceback.

No call is wrapped, so that this costs nothing while no run raises.
"""

import time
from traceback import format_exception, walk_tb
from types import FrameType

from harness.config.build import build, used_plugins
from harness.config.registry import Origin, find_plugin, load_plugin
from harness.errors import HarnessError, hide_texts
from harness.store.params import Config
from harness.store.results import Result
from harness.training.plugin_calls import PLUGIN_CALLS, check_returned

HOOKS = {"load", "init", "forward", "backward", "__call__", "derivative", "gradient", "update"}
HOOKS |= {"with_gradient", "probabilities"}


def failed_result(fingerprint: str, config: Config, error: BaseException) -> Result:
    """Return the result of a run that raised: its traceback, and no weights."""
    now = int(time.time() * 1000)
    text = hide_texts("".join(format_exception(error)))
    why = hide_texts(explain_failure(error, config))
    return Result(fingerprint, "failed", now, now, reason=why, traceback=text)


def explain_failure(error: BaseException, config: Config | None = None) -> str:
    """Return one line: the plugin of this config that is at fault, if any, and the error."""
    named = "" if isinstance(error, HarnessError) else f"{type(error).__name__}: "
    message = (f"{named}{error}".splitlines() or [""])[0].removesuffix(": ")
    try:
        return f"{_at_fault(error, config)}{message}" if config and named else message
    except Exception:  # the config cannot be built again
        return message


def _at_fault(error: BaseException, config: Config) -> str:
    """Return which plugin failed in which method, as the beginning of a line, or nothing."""
    plugins = used_plugins(config, build(config))
    used = {load_plugin(p["kind"], p["name"]): find_plugin(p["kind"], p["name"]) for p in plugins}
    found = _working(error, used)
    return f"{found[0]} failed in {found[1]}: " if found else ""


def _working(error: BaseException, used: dict[type, Origin]) -> tuple[Origin, str] | None:
    """Return the plugin and the method of the innermost frame that runs, or called, a plugin."""
    found, kinds = None, {where.kind: where for where in used.values()}
    for frame, _ in walk_tb(error.__traceback__):
        where, hook = used.get(type(frame.f_locals.get("self"))), frame.f_code.co_name
        kind, method = _called(frame)
        if where and hook in HOOKS:
            found = where, hook
        elif kind in kinds:
            one = used.get(type(frame.f_locals.get(kind)))  # of several metrics
            found = one or kinds[kind], method
    return found


def _called(frame: FrameType) -> tuple[str, str]:
    """Return kind and method of the plugin that a function of the training loop calls."""
    if frame.f_code is check_returned.__code__:
        kind, _, method = frame.f_locals["method"].partition(".")
        return kind, method
    return PLUGIN_CALLS.get(frame.f_code, ("", ""))
