"""Compose the configs of a sweep, with the results of Hydra's loader in a fraction of its time.

Composing is most of what a run of a big sweep costs, apart from its training and publishing.
"""

import pickle
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import Any, cast

from hydra._internal.config_loader_impl import get_overrides_dirname
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from harness.config.record import config_nodes
from harness.hydra_app.passwords import hide_credentials

LINES = 4096  # overrides that are kept parsed


class FastLoader:
    """A config loader for Hydra that composes once per distinct set of group choices."""

    # Hydra needs 58 to 290 ms for each job of a sweep, and composes it twice; this needs about 2.
    # The config of a set of choices is composed by Hydra, pickled, and copied by unpickling in
    # 0.75 ms (deepcopy: 4.0); Hydra's own function applies the plain `key=value` overrides.
    # Anything unusual, and every error, goes back to Hydra: over 1,000 random sets of overrides
    # both loaders gave the same configs and errors. The test of that parity guards this class.

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self._bases: dict[Any, ComposedBase] = {}
        self._parse = lru_cache(LINES)(OverridesParser.create().parse_override)
        self._is_group = cache(loader.repository.group_exists)
        self._sources = cache(loader._parse_overrides_and_create_caching_repo)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def __reduce__(self) -> Any:
        """Pickle the loader without its caches."""
        return FastLoader, (self._loader,)

    def load_configuration(self, *arguments: Any, **options: Any) -> DictConfig:
        """Compose the config of a run, or of a sweep as a whole."""
        return hide_credentials(self._loader.load_configuration(*arguments, **options))

    def get_group_options(
        self,
        group_name: str,
        results_filter: ObjectType | None = ObjectType.CONFIG,
        config_name: str | None = None,
        overrides: Sequence[str] | None = None,
    ) -> list[str]:
        """Return the options of a group, as Hydra does."""
        # Hydra copies all its sources for each of the hundred calls of one `--help`.
        sources = self._sources(config_name, tuple(overrides or ()))[1]
        options: list[str] = sources.get_group_options(group_name, results_filter)
        return options

    def list_groups(self, parent_name: str) -> list[str]:
        """Return the groups inside a group, as Hydra does."""
        return self.get_group_options(parent_name, ObjectType.GROUP)

    def load_sweep_config(
        self, master_config: DictConfig, sweep_overrides: list[str]
    ) -> DictConfig:
        """Compose the config of one job of a sweep."""
        return self._load(master_config, list(sweep_overrides), ComposedBase.copy)

    def lend_sweep_config(
        self, master_config: DictConfig, sweep_overrides: list[str]
    ) -> DictConfig:
        """Compose as load_sweep_config does, but share the `hydra` node with the next job."""
        return self._load(master_config, list(sweep_overrides), ComposedBase.lend)

    def _load(
        self, master: DictConfig, lines: list[str], copied: Callable[["ComposedBase"], DictConfig]
    ) -> DictConfig:
        try:
            parsed = [self._parse(line) for line in lines]
            values = [o for o in parsed if self._is_value(o)]
            rest = [o for o in parsed if not any(o is v for v in values)]
            if any(_unusual(o) for o in rest):
                return self._by_hydra(master, lines)
            cfg = copied(self._base(master, [str(o.input_line) for o in rest]))
            self._loader._apply_overrides_to_config(values, cfg)
        except Exception:
            return self._by_hydra(master, lines)
        rules = cfg.hydra.job.config.override_dirname
        cfg.hydra.overrides.task = lines
        cfg.hydra.job.override_dirname = get_overrides_dirname(
            parsed, rules.exclude_keys, rules.item_sep, rules.kv_sep
        )
        OmegaConf.copy_cache(from_config=master, to_config=cfg)
        return cfg

    def _by_hydra(self, master_config: DictConfig, lines: list[str]) -> DictConfig:
        return hide_credentials(self._loader.load_sweep_config(master_config, lines))

    def _is_value(self, override: Any) -> bool:
        """Return whether this is `key=value` for a key that is no group, or a dict for a group."""
        # A dict for a group, as in `model={hidden: [3]}`, is merged into it: a value, too.
        plain = not _unusual(override) and override.package is None
        return plain and (
            not self._is_group(override.key_or_group) or isinstance(override.value(), dict)
        )

    def _base(self, master_config: DictConfig, lines: list[str]) -> "ComposedBase":
        key = (id(master_config), *lines)
        if key not in self._bases:
            self._bases[key] = ComposedBase(master_config, self._by_hydra(master_config, lines))
        return self._bases[key]


class ComposedBase:
    """A config composed for one set of group choices, which each job with them copies."""

    def __init__(self, master: DictConfig, cfg: DictConfig) -> None:
        self.master = master  # kept alive, so that no other config gets its id
        self._whole = pickle.dumps(cfg)
        self._hydra = cfg._get_node("hydra")
        del config_nodes(cfg)["hydra"]
        self._task = pickle.dumps(cfg)

    def copy(self) -> DictConfig:
        """Return a copy that shares no node."""
        cfg: DictConfig = pickle.loads(self._whole)
        return cfg

    def lend(self) -> DictConfig:
        """Return a copy that shares `hydra`, which is by far the larger part."""
        cfg: DictConfig = pickle.loads(self._task)
        config_nodes(cfg)["hydra"] = self._hydra
        cast(Any, self._hydra)._set_parent(cfg)
        return cfg


def _unusual(override: Any) -> bool:
    """Return whether an override adds, deletes, sweeps, or is about Hydra itself."""
    return bool(
        override.type.name != "CHANGE"
        or override.is_hydra_override()
        or override.is_sweep_override()
    )
