"""Hydra's own files of a job, the folder `.hydra`: the same text as Hydra's, written sooner."""

from enum import Enum
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf._utils import get_omega_conf_dumper

LIBYAML = getattr(yaml, "CDumper", None)  # where PyYAML was built with it
CHANGING = {"job", "overrides", "runtime"}  # what is another in each job of `hydra`


class Outputs:
    """Writes `config.yaml`, `hydra.yaml` and `overrides.yaml` of one job after the other.

    Most keys have the same value in all jobs of a sweep: their text is made once.
    """

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._dumper: Any = get_omega_conf_dumper()
        if LIBYAML is not None:
            rules = {"yaml_representers": self._dumper.yaml_representers}
            self._dumper = type("Dumper", (LIBYAML,), rules)

    def write(self, folder: Path, cfg: DictConfig) -> None:
        """The three files of one composed job."""
        folder.mkdir(parents=True, exist_ok=True)
        task = [self._task(cfg, str(key)) for key in cfg if key != "hydra"]
        inner = [self._hydra(cfg.hydra, str(key)) for key in cfg.hydra]
        lines = self._dumped(plain(cfg.hydra.overrides, "task"))
        for name, content in (
            ("config", "".join(task) or "{}\n"),
            ("hydra", "".join(["hydra:\n", *inner])),
            ("overrides", lines),
        ):
            (folder / f"{name}.yaml").write_text(content, encoding="utf-8")

    def _task(self, cfg: DictConfig, key: str) -> str:
        value = plain(cfg, key)
        known = f"{key}={value!r}"
        if known not in self._texts:
            self._texts[known] = self._dumped({key: value})
        return self._texts[known]

    def _hydra(self, node: DictConfig, key: str) -> str:
        """A key under `hydra`, which a sweep cannot change, with the columns of its place."""
        known = f"hydra.{key}"
        if known in self._texts:
            return self._texts[known]
        text = self._dumped({"hydra": {key: plain(node, key)}}).partition("\n")[2]
        if key not in CHANGING:
            self._texts[known] = text
        return text

    def _dumped(self, value: Any) -> str:
        """YAML as OmegaConf writes it."""
        text: str = yaml.dump(
            value,
            default_flow_style=False,
            allow_unicode=True,
            sort_keys=False,
            Dumper=self._dumper,
        )
        return text


def plain(node: DictConfig, key: str) -> Any:
    """A value as it is written: interpolations are not resolved, nor is what is missing."""
    child: Any = node._get_node(key)
    if OmegaConf.is_config(child):
        return OmegaConf.to_container(child, resolve=False, enum_to_str=True)
    value = child._value()
    return value.name if isinstance(value, Enum) else value
