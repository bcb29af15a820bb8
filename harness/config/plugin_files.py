"""Load plugins that are one file each, without packaging: DIR/<kind>/<name>.py, one dataclass."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import is_dataclass
from functools import cache
from keyword import iskeyword
from pathlib import Path
from types import ModuleType

from harness.contracts import KINDS
from harness.errors import UsageError

VARIABLE = "HARNESS_PLUGINS"  # the folders: in the environment, so that workers inherit them
VERSION = "file"  # recorded in the place of a distribution's version
RESERVED = (
    "name",
    "all",
    "null",
    "true",
    "false",
    "inf",
    "nan",
)  # each means something in a config


def plugin_folders() -> list[Path]:
    """Return the plugin folders; UsageError if one does not exist, or has no kind's folder."""
    asked = filter(None, os.environ.get(VARIABLE, "").split(os.pathsep))
    found = [*dict.fromkeys(Path(each).expanduser().resolve() for each in asked)]
    for folder in found:
        if not folder.is_dir():
            raise UsageError(f"{folder}: there is no such folder (--plugins, {VARIABLE})")
        if not any((folder / kind).is_dir() for kind in KINDS):
            raise UsageError(f"{folder}: no folder in it is a kind's: {', '.join(KINDS)}")
    return found


@contextmanager
def extra_plugin_folders(more: Sequence[str]) -> Iterator[None]:
    """Context manager: look for plugins in further folders, in workers as well."""
    before = os.environ.get(VARIABLE)
    try:
        _set_folders([*more, before or ""])
        yield
    finally:
        os.environ.pop(VARIABLE, None)
        if before is not None:
            os.environ[VARIABLE] = before


def use_recorded_folders(recorded: Iterable[str]) -> None:
    """Add recorded folders, except where a folder of the same name is there already."""
    folders = plugin_folders()
    known = {folder.name for folder in folders}
    _set_folders([*map(str, folders), *(f for f in recorded if Path(f).name not in known)])


def _set_folders(folders: Iterable[str]) -> None:
    """Put the folders, checked and absolute, into the environment."""
    os.environ[VARIABLE] = os.pathsep.join(folders)
    os.environ[VARIABLE] = os.pathsep.join(map(str, plugin_folders()))
    if not os.environ[VARIABLE]:
        del os.environ[VARIABLE]


def plugin_paths() -> Iterator[Path]:
    """Yield every DIR/<kind>/<name>.py; a name that begins with `_` is no plugin."""
    for folder in plugin_folders():
        for kind in KINDS:
            yield from (folder / kind).glob("[!_]*.py")


@cache
def source_bytes(path: Path) -> bytes:
    """Return a file as it was when first read, so that the recorded source is what ran."""
    return path.read_bytes()


def load_plugin_file(path: Path) -> type:
    """Return the one dataclass of a file; ImportError if there is none, or several."""
    if (problem := name_problem(path.stem)) is not None:
        raise ImportError(problem)
    folder, kind = path.parent.parent.name, path.parent.name
    module = ModuleType(f"{folder}_{kind}_{path.stem}".replace(".", "_"))
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # where dataclasses and pickle look
    try:
        exec(compile(source_bytes(path), path, "exec"), vars(module))
    except BaseException:
        del sys.modules[module.__name__]
        raise
    classes = [each for each in vars(module).values() if isinstance(each, type)]
    own = [each for each in classes if is_dataclass(each) and each.__module__ == module.__name__]
    if len(own) != 1:
        found = ", ".join(each.__name__ for each in own) or "none"
        raise ImportError(f"one dataclass is expected in a file, and there is: {found}")
    return own[0]


def name_problem(name: str) -> str | None:
    """Return why a plugin cannot have this name, or None if it can."""
    if not (name.isascii() and name.isidentifier()) or iskeyword(name) or name[0] == "_":
        return f"{name!r} is no name for a plugin: letters, digits and _, as Python's names"
    return f"the name {name!r} is reserved" if name.lower() in RESERVED else None
