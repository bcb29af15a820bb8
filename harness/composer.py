"""Hydra for our configs: where configs are looked for, and a composition that is done once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import version
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import configure_log
from omegaconf import DictConfig

from harness.config import GROUPS
from harness.errors import UsageError
from harness.registry import names

PACKAGE = Path(__file__).parent
CONF = PACKAGE / "conf" if (PACKAGE / "conf").is_dir() else PACKAGE.parent / "conf"


def user_conf() -> Path | None:
    """The folder `conf` where the command was started, unless it is our own."""
    here = Path.cwd() / "conf"
    return here if here.is_dir() and not here.samefile(CONF) else None


def shadowed(folder: Path) -> list[str]:
    """A user's config files that a plugin's or our own option of the same name hides."""
    found = []
    for kind in GROUPS:
        ours = {path.stem for path in (CONF / kind).glob("*.yaml")}
        for path in sorted((folder / kind).glob("*.yaml")):
            if path.stem in ours.union(names(kind)):
                found.append(str(path))
    return found


class Composer(Hydra):
    """Hydra, remembering the config it composed, so that it is composed once."""

    composed: DictConfig | None = None

    def compose_config(self, *arguments: Any, **options: Any) -> DictConfig:
        """Hydra's own, once; asked again (by Hydra itself) it gives the same config."""
        if self.composed is None:
            self.composed = super().compose_config(*arguments, **options)
        elif options.get("with_log_configuration"):
            hydra = self.composed.hydra
            configure_log(hydra.hydra_logging, hydra.verbose)
        return self.composed


@contextmanager
def composer(config_dir: str | None = None) -> Iterator[Composer]:
    """A Hydra for our configs, and the user's; leaves no global state behind."""
    version.setbase("1.3")
    before = HydraConfig.instance().cfg
    GlobalHydra.instance().clear()
    try:
        yield Composer.create_main_hydra2("harness", search_path(config_dir))  # type: ignore[misc]
    finally:
        GlobalHydra.instance().clear()
        HydraConfig.instance().cfg = before


def search_path(config_dir: str | None) -> ConfigSearchPath:
    """Our conf, plugins, the user's `./conf`, then `--config-dir`."""
    path = create_config_search_path(f"file://{CONF}")
    if config_dir is not None:
        folder = Path(config_dir).absolute()
        if not folder.is_dir():
            raise UsageError(f"--config-dir {config_dir}: there is no such folder")
        path.prepend("command-line", f"file://{folder}", SearchPathQuery(provider="schema"))
    return path
