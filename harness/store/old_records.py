"""What records of older versions lack: a recorded config is completed where it is read back.

Records hold every setting and plugin field that there was when they were written. A key that they
lack was added later, so it takes the value under which a run is as it was before: perhaps another
one than today's default.
"""

from typing import Any

from harness.store.params import Config

# Value of the old behaviour by dotted key; a plugin's field is `KIND/NAME.FIELD`. Add a line for
# each setting or plugin field that you add: a test lists those that version 0.1.0 did not have.
ADDED_SINCE_0_1: dict[str, Any] = {}


def derives_seeds(version: str) -> bool:
    """Return whether this version of harness derived the seeds of `repeats` at random."""
    return version == "0.1.0"


def complete_config(config: Config) -> Config:
    """Return a recorded config with the keys added that its version of harness did not know."""
    for key, value in ADDED_SINCE_0_1.items():
        part, _, field = key.rpartition(".")
        group, _, plugin = part.partition("/")
        node = config.get(group)
        if not part:
            config = {**config, field: config.get(field, value)}
        elif isinstance(node, dict) and plugin in ("", node.get("name")) and field not in node:
            config = {**config, group: {**node, field: value}}
    return config
