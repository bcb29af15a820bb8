"""Load config files as Hydra does, and say in plain words what is wrong with a preset."""

from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.default_element import GroupDefault
from hydra.core.override_parser.types import Sweep
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, OmegaConf, open_dict

from harness.errors import UsageError, require, unknown_name

WHOLE = ("experiment", "sweep", "local")  # the groups whose presets are of the whole config
FIRST_LINE = "# @package _global_"


class PresetRepository(ConfigRepository):
    """Hydra's repository of config files, which refuses a preset that cannot work."""

    def load_config(self, config_path: str) -> ConfigResult | None:
        """Load a config file; UsageError if a preset of the whole config is not one."""
        found = super().load_config(config_path)
        group = config_path.partition("/")[0]
        if found is not None and group in WHOLE and group != config_path:
            self._check(found, group, f"{found.path.removeprefix('file://')}/{config_path}.yaml")
        return found

    def _check(self, preset: ConfigResult, group: str, file: str) -> None:
        if preset.header["package"] != "_global_":
            marked = Path(file).read_bytes().startswith(b"\xef\xbb\xbf")
            also = ", and the byte order mark (BOM) before it must go" if marked else ""
            require(False, f"{file}: its first line must be `{FIRST_LINE}`{also}")
        for default in preset.defaults_list or ():
            if isinstance(default, GroupDefault):
                kind = str(default.group)
                absolute = kind.startswith("/") or self.group_exists(f"{group}/{kind}")
                line = f"`- override /{kind}: {default.value}`"
                require(absolute or not self.group_exists(kind), f"{file}: write {line}")


class PresetLoader(ConfigLoaderImpl):
    """Hydra's loader of configs, with presets that the command line can override."""

    def __init__(self, config_search_path: ConfigSearchPath) -> None:
        super().__init__(config_search_path)
        self.repository = PresetRepository(config_search_path)

    def _parse_overrides_and_create_caching_repo(
        self, config_name: str | None, overrides: list[str]
    ) -> Any:
        parsed, repo = super()._parse_overrides_and_create_caching_repo(config_name, overrides)
        for each in parsed:
            line, group, value = str(each.input_line), each.key_or_group, each.value()
            require(group != "", f"{line}: a key is expected before the =")
            chooses = isinstance(value, str | list | dict | Sweep) or each.is_delete()
            if repo.group_exists(group) and (each.is_force_add() or not chooses):
                require(not each.is_force_add(), f"{line}: write {line[2:]}, without ++")
                options = repo.get_group_options(group)
                require(value is None, unknown_name(group, str(value), options))
                none = f"; ~{group} for none" if group in WHOLE else ""
                raise UsageError(f"{line}: choose one of {', '.join(options)}{none}")
        return parsed, repo

    def _compose_config_from_defaults_list(self, defaults: list[Any], repo: Any) -> DictConfig:
        chosen = dict(each.config_path.rpartition("/")[::2] for each in defaults)
        for loaded in [repo.load_config(each.config_path) for each in defaults]:
            for default in loaded.defaults_list or ():
                group = str(getattr(default, "group", "")).lstrip("/")
                name = chosen.get(group) if group in ("hydra/launcher", "hydra/sweeper") else None
                if name is not None and name != default.value:
                    options = repo.load_config(f"{group}/{name}").config
                    _keep_fields(loaded.config, group.replace("/", "."), options)
        cfg: DictConfig = super()._compose_config_from_defaults_list(defaults, repo)
        return cfg


def _keep_fields(preset: DictConfig, key: str, chosen: DictConfig) -> None:
    """Remove the fields of a launcher or sweeper that a preset chose, but another one has not.

    Without this, `hydra/sweeper=grid` on the command line could not replace the sweeper of a
    preset that sets `n_trials`.
    """
    node = OmegaConf.select(preset, key)
    with open_dict(preset):
        for field in [field for field in node or () if field not in chosen]:
            del node[field]
