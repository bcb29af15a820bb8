"""Plugins as Hydra config options: listed from metadata, imported only when chosen."""

from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin


class PluginSource(ConfigSource):
    """The `harness://` config source: each registered plugin is an option of its kind's group."""

    @staticmethod
    def scheme() -> str:
        return "harness"

    def available(self) -> bool:
        return True

    def is_group(self, config_path: str) -> bool:
        path = config_path.strip("/")
        return path == "" or path in _groups()

    def is_config(self, config_path: str) -> bool:
        group, name = _split(config_path)
        return name in _names(group)

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        path = config_path.strip("/")
        if path == "":
            return [] if results_filter == ObjectType.CONFIG else sorted(_groups())
        return [] if results_filter == ObjectType.GROUP else _names(path)

    def load_config(self, config_path: str) -> ConfigResult:
        from harness.config.schema import plugin_schema

        group, name = _split(config_path)
        if name not in _names(group):
            raise ConfigLoadError(f"{config_path}: no such plugin")
        return ConfigResult(
            config=plugin_schema(group, name),
            path="harness://",
            provider="plugins",
            header={"package": None},
        )


class HarnessSearchPath(SearchPathPlugin):
    """Search path: harness's own conf first, then plugins, then the user's `./conf`."""

    def manipulate_search_path(self, search_path) -> None:
        from harness.hydra_app.app import CONF, user_conf

        if not any(part.path == f"file://{CONF}" for part in search_path.get_path()):
            return  # another Hydra app in this environment
        search_path.append("plugins", "harness://")
        if (user := user_conf()) is not None:
            search_path.append("user", f"file://{user}")


def _groups() -> tuple[str, ...]:
    from harness.config.schema import GROUPS

    return GROUPS


def _names(group: str) -> list[str]:
    from harness.config.registry import plugin_names

    return plugin_names(group) if group in _groups() else []


def _split(config_path: str) -> tuple[str, str]:
    group, _, name = config_path.strip("/").removesuffix(".yaml").partition("/")
    return group, name
