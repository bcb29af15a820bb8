"""Compare the plan of a run with its plugins, its data and the numerics as they are now."""

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.analysis.differences import differing_environment, run_environment
from harness.config.build import build, forget_builds
from harness.config.record import keys_from_outside
from harness.config.registry import plugin_provenance
from harness.errors import PluginError, UsageError, require
from harness.store.manifest import Manifest, Planned
from harness.store.params import flatten, format_value
from harness.sweeps.provenance import current_numerics, dataset_inputs, fingerprint

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


def require_same_texts(folder: Path, runs: Iterable[Planned]) -> None:
    """Raise UsageError if the environment has other texts than the runs were planned with.

    Numbers are recorded. A text stays as written, so its run is planned as it was only if the
    fingerprint is the same under today's environment.
    """
    for run in runs:
        if keys := keys_from_outside(run.config):
            try:
                same = fingerprint(run.config, run.inputs, run.plugins) == run.fingerprint
            except UsageError:  # a variable is not set
                same = False
            changed = f"the environment gives other values than planned: {', '.join(keys)}"
            require(same, f"{folder / 'manifest.json'}: {changed}")


def require_same_settings(folder: Path, there: Manifest, planned: Manifest) -> None:
    """Raise UsageError if the same command now asks for other settings than a folder holds.

    Nothing but its environment can be different: two values would be mixed up as one setting.
    """
    require_same_texts(folder, there.runs)
    known = {(job, run.config["seed"]): run for run in there.runs for job in run.jobs}
    for run in planned.runs:
        before = known.get((run.jobs[0], run.config["seed"]), run)
        _require_same(folder, flatten(before.config), flatten(run.config))


def require_same_variables(
    folder: Path, planned: Mapping[str, Any] | None, now: Mapping[str, Any]
) -> None:
    """Raise UsageError if a search was planned with other values of its variables."""
    if planned is not None:  # version 0.1.0 has not recorded them
        _require_same(folder, planned, now)


def _require_same(folder: Path, planned: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    changed = [
        f"{key}: planned {format_value(value)}, now {format_value(now.get(key))}"
        for key, value in planned.items()
        if now.get(key) != value
    ]
    resume = shlex.join(["harness", "resume", str(folder)])
    text = "; ".join(changed[:LISTED])
    require(not changed, f"{folder} holds another sweep: {text}\nto go on as planned: {resume}")


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
