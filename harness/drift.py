"""What has changed between the plan of a run and now: its plugins, its data, the numerics."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.compose import build
from harness.data import prepare
from harness.errors import PluginError, UsageError
from harness.planning import inputs_for, numerics
from harness.registry import provenance
from harness.store import Manifest, Planned

LISTED = 4  # differences


class Present:
    """What is there now, to be compared with what a manifest recorded."""

    def __init__(self, manifest: Manifest) -> None:
        prepare.cache_clear()  # a file may have changed since
        self._planned = manifest.numerics
        self._numerics = numerics(manifest.numerics["dtype"])
        self._inputs: dict[str, tuple[dict[str, Any], ...]] = {}

    @property
    def numerics(self) -> list[str]:
        """How the numerics differ."""
        pairs = ((key, self._planned.get(key), now) for key, now in self._numerics.items())
        return [f"{key}: planned {was}, there is {now}" for key, was, now in pairs if was != now]

    def drift(self, run: Planned) -> dict[str, Any]:
        """What the run would be trained with now, and how that differs; empty if it does not."""
        plugins = [_there(plugin) for plugin in run.plugins]
        inputs = self._inputs.get(known := repr(run.inputs))
        if inputs is None:
            inputs = self._inputs[known] = inputs_for(build(run.config), run.config)
        lines = [_of_plugins(*p) for p in zip(run.plugins, plugins, strict=True) if p[0] != p[1]]
        lines += [_of_data(*p) for p in zip(run.inputs, inputs, strict=False) if p[0] != p[1]]
        lines += self.numerics
        about = {"plugins": plugins, "inputs": inputs, "numerics": self._numerics}
        return about | {"diff": lines} if lines else {}

    def check(self, folder: Path, runs: Iterable[Planned], more: bool) -> None:
        """UsageError that says what differs, if runs (or `more` of them) are still to be trained.

        PluginError if a plugin is not there any more.
        """
        found = dict.fromkeys(self.numerics if more else ())
        for run in runs:
            found |= dict.fromkeys(self.drift(run).get("diff", ()))
        if found:
            shown = [*found][:LISTED]
            shown += [f"and {len(found) - LISTED} more"] if len(found) > LISTED else []
            raise UsageError(
                f"{folder / 'manifest.json'}: runs are still to be trained, and not all is as "
                f"planned\n{'; '.join(shown)}\n--accept-drift trains them with what is there now"
            )


def _there(planned: Mapping[str, Any]) -> dict[str, str]:
    try:
        return provenance(planned["kind"], planned["name"])
    except PluginError as error:
        was = f"{planned['distribution']} {planned['version']}"
        raise PluginError(f"{error}\nit was planned with that of {was}") from error


def _of_plugins(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    planned, there = (f"{p['distribution']} {p['version']} ({p['source']})" for p in (was, now))
    return f"{was['kind']}={was['name']}: planned {planned}, there is {there}"


def _of_data(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    planned, there = (f"{part['digest']} ({part['rows']} rows)" for part in (was, now))
    return f"{was['source']}, {was['context']}: planned {planned}, there is {there}"
