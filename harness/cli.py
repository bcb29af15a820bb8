"""The command line: a verb of ours, or else a run or sweep for Hydra; errors become exit codes."""

import errno
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

from harness.contracts import DataError
from harness.errors import HarnessError, Terminated, UsageError

VERBS = {
    "train": "one run, or with -m a sweep (the word may be left out)",
    "plugins": "list every plugin, its fields and its state",
    "resume": "finish a stopped sweep, publish what is trained",
    "ui": "serve the MLflow UI on 127.0.0.1 and print links that open on the curves",
}
USAGE, INTERNAL, DATA, DISK, INTERRUPTED, TERMINATED = 2, 1, 65, 74, 130, 143
DISK_ERRORS = (errno.ENOSPC, errno.EROFS, errno.EFBIG, errno.EDQUOT, errno.EACCES, errno.EIO)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; the exit code says how it ended (see the README for what they mean)."""
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    try:
        return _dispatch([*(sys.argv[1:] if arguments is None else arguments)])
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0 if stop.code is None else USAGE
    except KeyboardInterrupt as interrupt:
        return TERMINATED if isinstance(interrupt, Terminated) else INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get("HARNESS_DEBUG") == "1":
            traceback.print_exc()
        code, text = told(error)
        print(f"harness: {text}", file=sys.stderr)
        return code


def _dispatch(arguments: list[str]) -> int:
    if os.environ.get("HARNESS_PLUGINS") or "--plugins" in arguments:
        raise UsageError("one-file plugins (--plugins, HARNESS_PLUGINS) are not available yet")
    verb = "train"
    if arguments and not arguments[0].startswith("-") and "=" not in arguments[0]:
        verb = arguments.pop(0)
    if verb not in VERBS:
        from harness.registry import unknown

        raise UsageError(unknown("command", verb, [*VERBS]))
    command = import_module(f"harness.commands.{verb}")
    code: int = command.main(arguments)
    return code


def told(error: Exception) -> tuple[int, str]:
    """The exit code of an error, and one to three lines about it."""
    if isinstance(error, HarnessError):
        return error.exit_code, _short(str(error))
    if isinstance(error, DataError):
        return DATA, _short(str(error))
    if isinstance(error, OSError) and error.errno in DISK_ERRORS:
        return DISK, f"{error.filename or 'disk'}: {error.strerror}"
    if (from_hydra := _of_hydra(error)) is not None:
        return USAGE, _short(from_hydra)
    where = "set HARNESS_DEBUG=1 to see where"
    return INTERNAL, _short(f"internal error: {type(error).__name__}: {error}\n({where})")


def _short(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "\n  ".join(lines[:3])


def _of_hydra(error: Exception) -> str | None:
    """What Hydra or OmegaConf found wrong with a config, with the nearest names that are right."""
    from hydra.errors import HydraException, MissingConfigException
    from omegaconf.errors import OmegaConfBaseException

    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        from harness.registry import unknown

        group, _, name = str(error.missing_cfg_file).rpartition("/")
        if error.options is not None:
            return unknown(group, name, sorted(error.options))
        return str(error)
    cause = error if isinstance(error, OmegaConfBaseException) else error.__cause__
    if isinstance(cause, OmegaConfBaseException):
        return _of_omegaconf(cause)
    return str(error) if isinstance(error, HydraException) else None


def _of_omegaconf(error: Exception) -> str:
    from omegaconf import DictConfig
    from omegaconf.errors import ConfigAttributeError, ConfigKeyError

    from harness.registry import unknown

    parent, key = getattr(error, "parent_node", None), getattr(error, "full_key", None)
    if isinstance(error, ConfigAttributeError | ConfigKeyError) and isinstance(parent, DictConfig):
        group, _, name = str(key).rpartition(".")
        known = [str(k) for k in parent if str(k) not in ("hydra", "name")]
        return unknown(group or "config", name, known)
    first = str(getattr(error, "msg", None) or error).splitlines()[0]
    return f"{key}: {first}" if key else first
