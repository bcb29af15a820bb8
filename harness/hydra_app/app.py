"""Set Hydra up for our configs: search path, one composition, errors in plain words."""

from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from hydra import version
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path, get_args_parser
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import configure_log
from hydra.errors import ConfigCompositionException, HydraException
from omegaconf import DictConfig, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from harness.config.registry import plugin_names
from harness.config.schema import GROUPS
from harness.errors import HarnessError, UsageError, hidden_texts
from harness.hydra_app import allowlist
from harness.hydra_app.config_loader import FastLoader
from harness.hydra_app.hydra_state import open_hydra
from harness.hydra_app.messages import explain_hydra_error
from harness.hydra_app.presets import PresetLoader

PACKAGE = Path(__file__).parents[1]
CONF = PACKAGE / "conf" if (PACKAGE / "conf").is_dir() else PACKAGE.parent / "conf"


def argument_parser() -> ArgumentParser:
    """Return the parser of Hydra's own flags."""
    return get_args_parser()


def user_conf() -> Path | None:
    """Return the folder `conf` of the current directory, unless it is our own."""
    here = Path.cwd() / "conf"
    return here if here.is_dir() and not here.samefile(CONF) else None


def shadowed_files(folder: Path) -> list[str]:
    """Return the config files of a user that a plugin or an option of ours hides."""
    files = sorted((*folder.glob("*.yaml"), *folder.glob("*/*.yaml")))
    return [str(path) for path in files if _is_ours(path.relative_to(folder))]


def _is_ours(option: Path) -> bool:
    """Return whether an option like `model/deep.yaml` is ours, or a plugin's."""
    kind = str(option.parent)
    return (CONF / option).is_file() or (kind in GROUPS and option.stem in plugin_names(kind))


class Composer(Hydra):
    """Hydra that composes its config once, although its own methods ask for it several times."""

    composed: DictConfig | None = None

    def compose_config(
        self, config_name: str | None, overrides: list[str], *more: Any, **options: Any
    ) -> DictConfig:
        """Compose the config, or return the config of the first call."""
        if self.composed is None:
            with config_errors(overrides):
                composed = super().compose_config(config_name, overrides, *more, **options)
                allowlist.check_hydra_config(composed.hydra)
                self.composed = composed
            set_current_config(self.composed)
        elif options.get("with_log_configuration"):
            hydra = self.composed.hydra
            with config_errors(overrides):
                configure_log(hydra.hydra_logging, hydra.verbose)
        return self.composed


def set_current_config(cfg: DictConfig) -> None:
    """Let `${hydra:…}` refer to a config, without the deep copies that set_config makes."""
    HydraConfig.instance().cfg = cast(Any, cfg)


def set_output_folder(cfg: DictConfig, folder: Path) -> None:
    """Set the folder that a job's files go to, as `${hydra:runtime.output_dir}` has it."""
    with read_write(cfg.hydra.runtime), open_dict(cfg.hydra.runtime):
        cfg.hydra.runtime.output_dir = str(folder)


@contextmanager
def config_errors(lines: Sequence[str]) -> Iterator[None]:
    """Context manager: turn any exception raised while composing into a config error."""
    try:
        yield
    except (HydraException, OmegaConfBaseException, HarnessError, OSError):
        raise
    except Exception as error:
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        where = " ".join(lines) or "config"
        raise ConfigCompositionException(f"{where}: {kind}{error}") from error


@contextmanager
def open_composer(
    config_dir: str | None = None, pinned: Mapping[str, str | None] | None = None
) -> Iterator[Composer]:
    """Context manager: a Hydra for our configs and the user's, with a state of its own.

    Errors of Hydra and OmegaConf become UsageError; none shows a text of the environment.
    """
    with hidden_texts(), open_hydra(pinned or {}):
        version.setbase("1.3")
        try:
            path = search_path(config_dir)
            hydra = Composer.create_main_hydra2("harness", path)
            hydra.config_loader = cast(Any, FastLoader(PresetLoader(path)))
            yield hydra  # type: ignore[misc]
        except (HydraException, OmegaConfBaseException) as error:
            raise UsageError(explain_hydra_error(error)) from error


def search_path(config_dir: str | None) -> ConfigSearchPath:
    """Return the search path: our conf, plugins, the user's `./conf`, then `--config-dir`."""
    path = create_config_search_path(f"file://{CONF}")
    if config_dir is not None:
        folder = Path(config_dir).absolute()
        if not folder.is_dir():
            raise UsageError(f"--config-dir {config_dir}: there is no such folder")
        path.prepend("command-line", f"file://{folder}", SearchPathQuery(provider="schema"))
    return path
