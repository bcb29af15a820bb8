"""A run's training as a film: one picture after another, and a page that plays them."""

import base64
import io
import json
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from uuid import NAMESPACE_OID, uuid5

from harness.config.build import figures_for
from harness.contracts import RunResult
from harness.figures import draw
from harness.store.results import Result

PICTURES = ("decision_map", "surface", "response")  # the first that applies is filmed
FEATURES = 2  # of the data, at most
WHY_NONE = f"nothing to show: that takes data of up to {FEATURES} features, and some training"


def film_frames(result: RunResult) -> dict[int, bytes]:
    """A PNG for each epoch of a run's timeline; none if there is nothing to be shown."""
    if len(result.timeline) < 2 or result.data.x.shape[1] > FEATURES:
        return {}
    figures = figures_for(PICTURES, "run")
    for name in PICTURES:
        if figures[name].applies(result):
            told = [
                replace(r, name=f"epoch {r.best_epoch}   {result.name}") for r in result.timeline
            ]
            return {frame.best_epoch: draw(figures[name], name, frame)[1] for frame in told}
    return {}


def as_webp(picture: bytes, side: int | None = None) -> bytes:
    """A PNG as WEBP, which takes a tenth of the room; in a corner of an empty square, if asked."""
    from PIL import Image

    buffer, shown = io.BytesIO(), Image.open(io.BytesIO(picture))
    square = Image.new("RGBA", shown.size if side is None else (side, side))
    square.paste(shown)
    square.save(buffer, "WEBP", quality=72)
    return buffer.getvalue()


def film_page(name: str, frames: Mapping[int, bytes]) -> bytes:
    """A page with a slider that shows the pictures, and plays them; nothing else is asked for."""
    shown = [
        [epoch, "data:image/webp;base64," + base64.b64encode(as_webp(png)).decode()]
        for epoch, png in frames.items()
    ]
    text = json.dumps({"name": name, "frames": shown}).replace("<", "\\u003c")
    template = files("harness.figures").joinpath("timeline.html").read_text("utf-8")
    return template.replace("{{content}}", text).encode("utf-8", errors="replace")


LOGGED = {"mlflow.loggedImages": "True"}  # the tag without which the UI does not look for any


SQUARE = 1280  # pixels: the UI centres a picture in a square as wide as the list of parameters


def step_images(key: str, frames: Mapping[int, bytes], result: Result) -> dict[str, bytes]:
    """Files of a run: each PNG by its step, and what the UI shows of it."""
    found = {}
    for step, png in frames.items():
        name = uuid5(NAMESPACE_OID, f"{result.fingerprint} {key} {step}")
        stem = f"images/{key}+step+{step}+timestamp+{result.ended}+{name}"
        found[f"{stem}.png"] = png
        found[f"{stem}+compressed.webp"] = as_webp(png, SQUARE)
    return found
