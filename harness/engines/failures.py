"""Which plugin is at fault when a run raises, and what it was doing: the traceback tells.

Nothing is wrapped on the way, so that this costs nothing when all is well.
"""

import linecache
import re
import time
from traceback import format_exception, walk_tb

from harness.config.build import build, used_plugins
from harness.config.registry import Origin, find_plugin, load_plugin
from harness.errors import HarnessError
from harness.store.params import Config
from harness.store.results import Result

HOOKS = {"load", "init", "forward", "backward", "__call__", "derivative", "gradient", "update"}
HOOKS |= {"with_gradient", "probabilities"}
CALL = re.compile(  # as our own lines have it
    r"\b(model|activation|initializer|loss|optimizer|schedule|metric)\.(\w+)"
)


def failed_result(fingerprint: str, config: Config, error: BaseException) -> Result:
    """The result of a run that raised: its traceback, and no weights."""
    now = int(time.time() * 1000)
    text = "".join(format_exception(error))
    why = explain_failure(error, config)
    return Result(fingerprint, "failed", now, now, reason=why, traceback=text)


def explain_failure(error: BaseException, config: Config | None = None) -> str:
    """One line: the plugin of this config that is at fault, if one is, and what is wrong."""
    named = "" if isinstance(error, HarnessError) else f"{type(error).__name__}: "
    said = (f"{named}{error}".splitlines() or [""])[0].removesuffix(": ")
    try:
        return f"{_at_fault(error, config)}{said}" if config and named else said
    except Exception:  # it cannot even be built again
        return said


def _at_fault(error: BaseException, config: Config) -> str:
    plugins = used_plugins(config, build(config))
    used = {load_plugin(p["kind"], p["name"]): find_plugin(p["kind"], p["name"]) for p in plugins}
    found = _working(error, used)
    return f"{found[0]} failed in {found[1]}: " if found else ""


def _working(error: BaseException, used: dict[type, Origin]) -> tuple[Origin, str] | None:
    """The innermost hook that was running, or else that had just come back to the loop."""
    found, kinds = None, {where.kind: where for where in used.values()}
    for frame, line in walk_tb(error.__traceback__):
        where, hook = used.get(type(frame.f_locals.get("self"))), frame.f_code.co_name
        if where and hook in HOOKS:
            found = where, hook
        elif frame.f_globals.get("__package__") == "harness.training":
            call = CALL.search(linecache.getline(frame.f_code.co_filename, line))
            if call and call[2] in HOOKS and call[1] in kinds:
                one = used.get(type(frame.f_locals.get(call[1])))  # of several metrics
                found = one or kinds[call[1]], call[2]
    return found
