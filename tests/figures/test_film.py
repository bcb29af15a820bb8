"""The timeline: a run's training as pictures with a step in MLflow, and as a page that plays."""

import re

import numpy as np
import pytest
from harness_plugins.figures.curves import LossCurve

import harness
from harness.figures import draw, film
from harness.figures.film import step_images
from harness.store.manifest import read_manifest
from harness.store.results import Result, read_result
from tests.support.commands import harness as called
from tests.support.recorded import QUIET, client_and_runs
from tests.support.results import classification, regression

pytestmark = QUIET
LINE = ["figures=none", "figures.timeline=true", "tracking.model=none", "dataset.samples=40"]
DATA = {
    "decision_map": ["dataset=moons", "loss=bce"],
    "surface": [],
    "response": ["dataset=sine"],
}


def artifacts(client, run_id, folder):
    return sorted(file.path for file in client.list_artifacts(run_id, folder))


def steps(paths):
    return sorted({int(re.search(r"step\+(\d+)\+", path)[1]) for path in paths})


@pytest.mark.parametrize("figure", DATA)
def test_a_run_is_filmed_from_before_training_to_its_result(place, figure):
    run = harness.run([*LINE, *DATA[figure], "epochs=8"])
    epochs = [frame.best_epoch for frame in run.timeline]
    assert epochs == sorted({0, 1, 2, 3, 4, 5, 6, run.best_epoch})[: len(epochs)]
    assert run.timeline[-1] is run
    assert film.film_frames(run).keys() == {*epochs}
    one = run.timeline[3].predict(run.x["train"])
    again = harness.run(["figures=none", "tracking.model=none", "dataset.samples=40",
                         *DATA[figure], "epochs=3"])  # fmt: skip
    assert (one == again.predict(run.x["train"])).all()


@pytest.mark.parametrize("uri", ["store", pytest.param("server", marks=pytest.mark.database)])
def test_pictures_have_steps_in_mlflow_and_are_there_once(place, uri, request, capsys):
    uri = request.getfixturevalue(uri)
    line = [*LINE, f"tracking.uri={uri}", "epochs=8", "hydra.run.dir=here"]
    assert called(capsys, *line).code == 0
    client, [run] = client_and_runs(uri, place / "here")
    images = artifacts(client, run.info.run_id, "images")
    best = int(run.data.metrics["val/best_epoch"])
    assert steps(images) == [epoch for epoch in (0, 1, 2, 3, 4, 5, 6) if epoch < best] + [best]
    assert len(images) == 2 * len(steps(images))
    assert all(path.endswith((".png", "+compressed.webp")) for path in images)
    assert run.data.tags["mlflow.loggedImages"] == "True"
    assert artifacts(client, run.info.run_id, "plots") == ["plots/timeline.html"]
    client.set_tag(run.info.run_id, "harness.published", "no")
    assert called(capsys, "resume", "here").code == 0
    assert artifacts(client, run.info.run_id, "images") == images


def test_of_a_sweep_the_best_are_filmed(place, store, capsys):
    line = [*LINE, "-m", "seed=1,2,3", "epochs=3", "figures.best=1", "hydra.sweep.dir=here"]
    assert called(capsys, *line).code == 0
    client, runs = client_and_runs(store, place / "here")
    filmed = [run for run in runs if artifacts(client, run.info.run_id, "images")]
    _, [parent] = client_and_runs(store, place / "here", "sweep")
    assert [run.info.run_id for run in filmed] == [parent.data.tags["best_run_id"]]


def test_where_there_is_nothing_to_show_that_is_said(place, capsys, caplog):
    line = ["figures=none", "figures.timeline=true", "tracking.model=none", "dataset=iris"]
    line += ["loss=softmax_cross_entropy", "epochs=2", "hydra.run.dir=here"]
    done = called(capsys, *line)
    assert done.code == 0
    assert "nothing to show: that takes data of up to 2 features" in done.out + caplog.text
    [planned] = read_manifest(place / "here").runs
    result = read_result(place / "here", planned.fingerprint)
    assert "film" not in result.trail


def test_names_are_as_mlflow_gives_them(place, store):
    from mlflow import MlflowClient

    run = harness.run(["figures=none", "tracking.model=none", "epochs=2"])
    client, picture = MlflowClient(store), np.zeros((9, 9, 3), np.uint8)
    client.log_image(run.run_id, picture, key="timeline", step=1)
    result = Result(run.fingerprint, "ok", 0, 1795400631073)
    png = draw(LossCurve(), "loss", run)[1]
    ours = step_images("timeline", {1: png}, result)
    assert [*map(form, artifacts(client, run.run_id, "images"))] == sorted(map(form, ours))


def form(path):
    """A picture's name without what is its own."""
    return re.sub(r"timestamp\+\d+\+[0-9a-f-]{36}", "", path)


def test_the_page_plays_by_mouse_and_by_keyboard_and_asks_for_nothing(tmp_path, browser):
    run = classification(name="</script><b> $x$ 学習")
    frames = dict.fromkeys((0, 1, 5, 40), draw(LossCurve(), "loss", run)[1])
    content, file, heard = film.film_page(run.name, frames), tmp_path / "timeline.html", []
    file.write_bytes(content)
    page = browser.new_page()
    page.on("request", lambda request: heard.append(request.url))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.goto(file.as_uri())
    slider, told = page.locator("input"), page.locator("output")
    assert told.text_content() == "epoch 40"
    assert page.locator("h1").text_content() == run.name
    slider.press("Home")
    assert told.text_content() == "epoch 0"
    slider.press("ArrowRight")
    assert told.text_content() == "epoch 1"
    page.locator("button").press("Space")
    page.wait_for_function("document.querySelector('output').textContent === 'epoch 40'")
    page.wait_for_function("document.querySelector('button').textContent === 'Play'")
    assert page.evaluate("document.querySelector('img').naturalWidth") == 800
    page.close()
    assert [url for url in heard if not url.startswith(("data:", file.as_uri()))] == []


def test_a_page_of_twelve_pictures_is_small(place):
    run = harness.run([*LINE, *DATA["decision_map"], "epochs=60"])
    assert len(film.film_page(run.name, film.film_frames(run))) < 600_000


def test_a_run_without_a_timeline_is_not_filmed():
    assert film.film_frames(regression()) == {}
