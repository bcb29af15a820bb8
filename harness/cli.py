"""The command line: call the verb's command, and turn errors into exit codes."""

import atexit
import errno
import gc
import io
import os
import re
import sys
import traceback
import warnings
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import numpy as np

from harness.commands import VERBS
from harness.config.plugin_files import extra_plugin_folders
from harness.contracts import DataError
from harness.errors import TEXTS, HarnessError, Terminated, UsageError, hide_texts

USAGE, INTERNAL, DATA, DISK, INTERRUPTED, TERMINATED = 2, 1, 65, 74, 130, 143
DISK_ERRORS = (errno.ENOSPC, errno.EROFS, errno.EFBIG, errno.EDQUOT, errno.EACCES, errno.EIO)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code; the README lists the codes."""
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    TEXTS.clear()  # of a command before, in a program that runs several
    if arguments is None:
        _own_the_process()
    _make_streams_writable()
    try:
        words = [*(sys.argv[1:] if arguments is None else arguments)]
        # NumPy warns of overflow on stderr; that a run diverged is said by its outcome.
        with np.errstate(all="ignore"), extra_plugin_folders(take_plugin_folders(words)):
            code = _run_command(words)
        sys.stdout.flush()
        return code
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0 if stop.code is None else USAGE
    except KeyboardInterrupt as interrupt:
        return TERMINATED if isinstance(interrupt, Terminated) else INTERRUPTED
    except BrokenPipeError:
        # The reader, such as `| head`, has closed the pipe: that is no error. Python flushes
        # stdout once more at exit, which would raise again, hence the null device.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get("HARNESS_DEBUG") == "1":
            print(hide_texts(traceback.format_exc()), file=sys.stderr, end="")
        code, text = format_error(error)
        print(f"harness: {hide_texts(text)}", file=sys.stderr)
        return code


def _own_the_process() -> None:
    """Set what belongs to the whole process, where no other program runs in it."""
    # Before it exits, Python would look for cycles in all that MLflow made: 13 to 22 % of the
    # CPU time of a single run. Objects that are frozen are left out.
    atexit.register(gc.freeze)
    if not sys.warnoptions:  # "Mean of empty slice" comes whatever np.errstate is
        warnings.simplefilter("ignore", RuntimeWarning)


def _make_streams_writable() -> None:
    """Replace closed output by the null device; escape characters that it cannot encode."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def take_plugin_folders(arguments: list[str]) -> list[str]:
    """Remove all `--plugins DIR` and `--plugins=DIR` from the arguments; return the folders."""
    folders: list[str] = []
    for at in reversed([i for i, a in enumerate(arguments) if a.partition("=")[0] == "--plugins"]):
        _, equals, folder = arguments.pop(at).partition("=")
        if not equals and at == len(arguments):
            raise UsageError("--plugins: a folder is expected, as in --plugins DIR")
        folders.insert(0, folder if equals else arguments.pop(at))
    return folders


def _run_command(arguments: list[str]) -> int:
    """Call the command that the first argument names, or else `train`; return its exit code."""
    verb = "train"
    if arguments and re.fullmatch(r"[\w-]*\w", arguments[0]) and arguments[0][0] != "-":
        verb = arguments.pop(0)
    if verb not in VERBS:
        from harness.errors import unknown_name

        raise UsageError(unknown_name("command", verb, [*VERBS]))
    command = import_module(f"harness.commands.{verb}")
    code: int = command.main(arguments)
    return code


def format_error(error: Exception) -> tuple[int, str]:
    """Return the exit code of an error, and one to three lines about it."""
    if isinstance(error, HarnessError):
        return error.exit_code, _first_lines(str(error))
    if isinstance(error, DataError):
        return DATA, _first_lines(str(error))
    if isinstance(error, OSError) and (error.filename or error.errno in DISK_ERRORS):
        return DISK, f"{error.filename or 'disk'}: {error.strerror}"
    where = "set HARNESS_DEBUG=1 to see where"
    return INTERNAL, _first_lines(f"internal error: {type(error).__name__}: {error}\n({where})")


def _first_lines(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "\n  ".join(lines[:3])
