"""Distributions of strangers, installed on a path of their own without pip."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.config import build, plugin_files, registry, schema
from harness.sweeps import plugin_checks

CACHES = (
    registry._table,
    registry.load_plugin,
    registry.plugin_provenance,
    schema.twin_of,
    schema._schema,
    plugin_files.source_bytes,
)
MINE = """
import numpy as np
from dataclasses import dataclass

@dataclass(frozen=True)
class Mine:
    def __call__(self, z):
        return z / (1 + np.abs(z))

    def derivative(self, z, h):
        return 1 / (1 + np.abs(z)) ** 2
"""
SNAKE = '''
from dataclasses import dataclass
import numpy as np

@dataclass(frozen=True)
class Snake:
    """h = z + sin²(az)/a."""

    a: float = 1.0

    def __call__(self, z):
        return z + np.sin(self.a * z) ** 2 / self.a

    def derivative(self, z, h):
        return 1 + np.sin(2 * self.a * z)
'''


def forget() -> None:
    """As in a new process: nothing is known of what is installed."""
    importlib.invalidate_caches()
    for cache in CACHES:
        cache.cache_clear()
    build.forget_builds()
    plugin_checks._seen.clear()


class Strangers:
    """A folder on sys.path into which distributions are put."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.modules: list[str] = []

    def install(self, distribution: str, source: str, **plugins: str) -> None:
        """A module and its metadata; `activation__mine="Class"` registers `activation=mine`."""
        module = distribution.replace("-", "_").replace(".", "_")
        self.modules.append(module)
        (self.folder / f"{module}.py").write_text(source)
        info = self.folder / f"{module}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n"
        )
        lines = []
        for place, where in plugins.items():
            kind, _, name = place.partition("__")
            lines += [f"[harness.{kind}]", f"{name} = {module}:{where}"]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
        forget()


@contextmanager
def strangers(folder: Path) -> Iterator[Strangers]:
    """Meanwhile distributions can be installed in a new folder."""
    folder.mkdir()
    made = Strangers(folder)
    sys.path.insert(0, str(folder))
    try:
        yield made
    finally:
        sys.path.remove(str(folder))
        for module in made.modules:
            sys.modules.pop(module, None)
        forget()


def upgrade(installed):
    """Another version of the plugin takes the place of the one that was planned."""
    (installed.folder / "mine_dist.py").write_text(MINE + "# changed\n")
    metadata = installed.folder / "mine_dist-1.2.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text().replace("1.2", "1.3"))
    forget()
