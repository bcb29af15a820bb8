"""Write the `.hydra` folder of a job with the same text as Hydra, in less time."""

from enum import Enum
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf._utils import get_omega_conf_dumper

LIBYAML = getattr(yaml, "CDumper", None)  # where PyYAML was built with it
KEPT = 2000  # texts
PARTLY = ("job", "overrides", "runtime")  # nodes in which some keys differ between jobs


class Outputs:
    """The writer of `config.yaml`, `hydra.yaml` and `overrides.yaml` of one job after another.

    Most keys have the same value in all jobs of a sweep: their text is made once.
    """

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._dumper: Any = get_omega_conf_dumper()
        if LIBYAML is not None:
            rules = {"yaml_representers": self._dumper.yaml_representers}
            self._dumper = type("Dumper", (LIBYAML,), rules)

    def write(self, folder: Path, cfg: DictConfig) -> None:
        """Write the three files of one composed job."""
        folder.mkdir(parents=True, exist_ok=True)
        hydra: Any = cfg._get_node("hydra")
        task = [self._entry((), str(key), dump_value(cfg, key)) for key in cfg if key != "hydra"]
        inner = [self._hydra(key, dump_value(hydra, key)) for key in hydra]
        lines = dump_value(cfg.hydra.overrides, "task")
        for name, content in (
            ("config", "".join(task) or "{}\n"),
            ("hydra", "".join(["hydra:\n", *inner])),
            ("overrides", self._dumped(lines)),
        ):
            (folder / f"{name}.yaml").write_text(content, encoding="utf-8")

    def _hydra(self, key: str, value: Any) -> str:
        if key not in PARTLY:
            return self._entry(("hydra",), key, value)
        inner = (self._entry(("hydra", key), name, each) for name, each in value.items())
        return "".join([f"  {key}:\n", *inner])

    def _entry(self, above: tuple[str, ...], key: str, value: Any) -> str:
        """Return one key as YAML, indented as below the keys `above`."""
        known = f"{above}{key}={value!r}"
        if known not in self._texts:
            if len(self._texts) >= KEPT:
                self._texts.clear()
            node = {key: value}
            for name in reversed(above):
                node = {name: node}
            lines = self._dumped(node).splitlines(keepends=True)
            self._texts[known] = "".join(lines[len(above) :])
        return self._texts[known]

    def _dumped(self, value: Any) -> str:
        """Return a value as YAML in the style of OmegaConf."""
        text: str = yaml.dump(
            value,
            default_flow_style=False,
            allow_unicode=True,
            sort_keys=False,
            Dumper=self._dumper,
        )
        return text


def dump_value(node: Any, key: Any) -> Any:
    """Return a value for YAML; interpolations and missing values stay as they are."""
    child = node._get_node(key)
    if OmegaConf.is_config(child):
        return OmegaConf.to_container(child, resolve=False, enum_to_str=True)
    value = child._value()
    return value.name if isinstance(value, Enum) else value
