"""Compare the plan of a run with its plugins, its data and the numerics as they are now."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.analysis.differences import differing_environment, run_environment
from harness.config.build import build, forget_builds
from harness.config.registry import plugin_provenance
from harness.errors import PluginError, UsageError
from harness.store.manifest import Manifest, Planned
from harness.sweeps.provenance import current_numerics, dataset_inputs

LISTED = 4  # differences


class CurrentEnvironment:
    """The plugins, data and numerics that are there now, to compare a manifest with."""

    def __init__(self, manifest: Manifest) -> None:
        forget_builds()  # a file may have changed since
        self._planned = manifest.numerics
        self._numerics = current_numerics(manifest.numerics["dtype"])
        self._inputs: dict[str, tuple[dict[str, Any], ...]] = {}

    @property
    def numerics(self) -> list[str]:
        """The differences of the numerics, a line each."""
        return _lines(
            run_environment((), (), self._planned), run_environment((), (), self._numerics)
        )

    def drift(self, run: Planned) -> dict[str, Any]:
        """Return what changed since planning, and what the run would be trained with now.

        The dict is empty if nothing changed. Raises PluginError if a plugin does not exist now.
        """
        plugins = [installed_plugin(plugin) for plugin in run.plugins]
        inputs = self._inputs.get(known := repr(run.inputs))
        if inputs is None:
            inputs = self._inputs[known] = dataset_inputs(build(run.config), run.config)
        planned = run_environment(run.plugins, run.inputs, self._planned)
        lines = _lines(planned, run_environment(plugins, inputs, self._numerics))
        about = {"plugins": plugins, "inputs": inputs, "numerics": self._numerics}
        return about | {"diff": lines} if lines else {}

    def check(self, folder: Path, runs: Iterable[Planned], more: bool) -> None:
        """Raise UsageError if any of these runs, which are still to be trained, would differ.

        With `more` runs to be asked for, the numerics count even without a run. Raises
        PluginError if a plugin does not exist now.
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


def installed_plugin(plugin: Mapping[str, Any]) -> dict[str, str]:
    """Return the record of the plugin that has this name now; PluginError if there is none."""
    try:
        return plugin_provenance(plugin["kind"], plugin["name"])
    except PluginError as error:
        planned = f"{plugin['distribution']} {plugin['version']}"
        raise PluginError(f"{error}\nit was planned with that of {planned}") from error


def _lines(planned: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    pairs = differing_environment(planned, now).items()
    return [
        f"planned by harness {before}, this is {found}"
        if key == "harness"
        else f"{key}: planned {before}, there is {found}"
        for key, (before, found) in pairs
    ]
