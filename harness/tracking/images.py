"""Pictures with a step, named as MLflow's `log_image` names them: its UI shows them by a slider.

Its own call gives each file a new name; here a picture that is published again is the same file.
"""

from collections.abc import Mapping
from uuid import NAMESPACE_OID, uuid5

from harness.film import small
from harness.store.results import Result

LOGGED = {"mlflow.loggedImages": "True"}  # the tag without which the UI does not look for any
SQUARE = 1280  # pixels: the UI centres a picture in a square as wide as the list of parameters


def step_images(key: str, frames: Mapping[int, bytes], result: Result) -> dict[str, bytes]:
    """Files of a run: each PNG by its step, and what the UI shows of it."""
    found = {}
    for step, png in frames.items():
        name = uuid5(NAMESPACE_OID, f"{result.fingerprint} {key} {step}")
        stem = f"images/{key}+step+{step}+timestamp+{result.ended}+{name}"
        found[f"{stem}.png"] = png
        found[f"{stem}+compressed.webp"] = small(png, SQUARE)
    return found
