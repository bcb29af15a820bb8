"""`harness new KIND NAME [--dir D]`: write an installable plugin with a test that passes."""

import argparse
import shlex
from importlib.util import find_spec
from pathlib import Path
from string import Template

from harness.config import plugin_files
from harness.config.registry import plugin_table
from harness.contracts import KINDS
from harness.errors import require, require_known
from harness.store.files import write_atomically

TEMPLATES = Path(__file__).parent / "templates"
USE = {"metric": "metrics=[{}]", "figure": "figures.names=[{}]"}


def main(arguments: list[str]) -> int:
    """Write the package and print the next commands; return 0."""
    parser = argparse.ArgumentParser(prog="harness new", description=__doc__)
    parser.add_argument("kind", help=f"one of {', '.join(KINDS)}")
    parser.add_argument("name", help="the new plugin's name: KIND=NAME will choose it")
    parser.add_argument(
        "--dir", help="the folder to write to, new or empty (default: harness-NAME)"
    )
    asked = parser.parse_args(arguments)
    check_name(asked.kind, asked.name)
    files = package_files(asked.kind, asked.name)
    folder = Path(asked.dir or f"harness-{asked.name}".replace("_", "-"))
    empty = not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
    require(empty, f"{folder}: this is not an empty folder; choose another one with --dir")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        write_atomically(folder / name, text.encode())
        print(f"wrote: {folder / name}")
    print(f"next: cd {shlex.quote(str(folder))} && pip install -e '.[test]' && pytest")
    print(f"then: harness {_use(asked.kind, asked.name)}")
    return 0


def check_name(kind: str, name: str) -> None:
    """Raise UsageError if the kind is unknown, or if a new plugin cannot have this name."""
    require_known("kind", kind, KINDS)
    problem = plugin_files.name_problem(name)
    require(problem is None, str(problem))
    for where in plugin_table()[kind].get(name, ()):
        require(False, f"there is one of that name: {where}; choose another")
    taken = f"{name}: there is a module harness_{name} already; choose another name"
    require(find_spec(f"harness_{name}") is None, taken)


def package_files(kind: str, name: str) -> dict[str, str]:
    """Return the files of a plugin's package as {name: text}."""
    module = f"harness_{name}"
    keys = {
        "kind": kind,
        "name": name,
        "module": module,
        "distribution": module.replace("_", "-"),
        "Class": "".join(part[:1].upper() + part[1:] for part in name.split("_")),
        "use": _use(kind, name),
    }
    sources = {
        f"{module}.py": kind,
        f"test_{module}.py": "test",
        "pyproject.toml": "pyproject",
        "README.md": "readme",
    }
    return {
        file: Template((TEMPLATES / f"{source}.txt").read_text(encoding="utf-8")).substitute(keys)
        for file, source in sources.items()
    }


def _use(kind: str, name: str) -> str:
    """Return the setting that chooses the plugin on a command line."""
    return USE.get(kind, f"{kind}={{}}").format(name)
