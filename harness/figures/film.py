"""Films a run's training: one picture after another, and a page that plays them."""

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

PICTURES = ("decision_map", "surface", "response")  # the first figure that applies is filmed
FEATURES = 2  # of the data, at most
SQUARE = 1280  # pixels: the UI centres a picture in a square as wide as the list of parameters
LOGGED = {"mlflow.loggedImages": "True"}  # the tag without which the UI looks for no images
WHY_NONE = f"nothing to show: that takes data of up to {FEATURES} features, and some training"


def film_frames(result: RunResult) -> dict[int, bytes]:
    """Return a PNG for each epoch of a run's timeline; {} if no picture applies."""
    if len(result.timeline) < 2 or result.data.x.shape[1] > FEATURES:
        return {}
    figures = figures_for(PICTURES, "run")
    for name in PICTURES:
        if figures[name].applies(result):
            frames = {}
            for shown in result.timeline:
                titled = replace(shown, name=f"epoch {shown.best_epoch}   {result.name}")
                frames[shown.best_epoch] = draw(figures[name], name, titled)[1]
            return frames
    return {}


def as_webp(picture: bytes, side: int | None = None) -> bytes:
    """Return a PNG as WEBP, a tenth as large; with `side`, in the corner of an empty square."""
    from PIL import Image

    buffer, shown = io.BytesIO(), Image.open(io.BytesIO(picture))
    square = Image.new("RGBA", shown.size if side is None else (side, side))
    square.paste(shown)
    square.save(buffer, "WEBP", quality=72)
    return buffer.getvalue()


def film_page(name: str, frames: Mapping[int, bytes]) -> bytes:
    """Return a page that shows the pictures with a slider, plays them, and loads nothing else."""
    shown = [
        [epoch, "data:image/webp;base64," + base64.b64encode(as_webp(png)).decode()]
        for epoch, png in frames.items()
    ]
    text = json.dumps({"name": name, "frames": shown}).replace("<", "\\u003c")
    template = files("harness.figures").joinpath("timeline.html").read_text("utf-8")
    return template.replace("{{content}}", text).encode("utf-8", errors="replace")


def step_images(key: str, frames: Mapping[int, bytes], result: Result) -> dict[str, bytes]:
    """Return a run's files: each PNG under its step, and beside it the WEBP that the UI shows."""
    found = {}
    for step, png in frames.items():
        name = uuid5(NAMESPACE_OID, f"{result.fingerprint} {key} {step}")
        stem = f"images/{key}+step+{step}+timestamp+{result.ended}+{name}"
        found[f"{stem}.png"] = png
        found[f"{stem}+compressed.webp"] = as_webp(png, SQUARE)
    return found
