"""The 3-D page in a real browser: it draws, turns by hand, and asks nobody for anything."""

import io
import json
import re

import numpy as np
import pytest
from harness_plugins.figures.surface3d import Surface3D
from PIL import Image

from harness.figures import draw
from tests.support.results import classification, regression

ODD = "</script><script>alert(1)</script> $x$ 学習"


def page_of(result) -> str:
    return draw(Surface3D(), "surface3d", result)[1].decode()


def content_of(page: str):
    return json.loads(re.search(r'id="content">(.*?)</script>', page, re.DOTALL)[1])


@pytest.fixture
def look(browser, tmp_path):
    """Open a page; its requests and errors are kept beside it."""
    opened = []

    def open_page(html: str):
        file = tmp_path / "surface3d.html"
        file.write_text(html, encoding="utf-8")
        page = browser.new_page(viewport={"width": 1000, "height": 700})
        opened.append(page)
        page.heard = []
        for event in ("pageerror", "console", "dialog"):
            page.on(event, lambda said, event=event: page.heard.append((event, str(said))))
        page.on("request", lambda request: page.heard.append(("request", request.url)))
        page.goto(file.as_uri())
        page.wait_for_function("document.getElementById('low').textContent !== ''")
        settle(page)
        assert page.heard.pop(0) == ("request", file.as_uri())
        return page

    yield open_page
    for page in opened:
        page.close()


def settle(page):
    """Two animation frames: what was asked for is painted."""
    page.evaluate("() => new Promise(f => requestAnimationFrame(() => requestAnimationFrame(f)))")


def picture(page, name: str) -> np.ndarray:
    settle(page)
    return np.asarray(Image.open(io.BytesIO(page.locator(f"#{name}").screenshot())).convert("RGB"))


def inked(image: np.ndarray) -> float:
    return float((image.max(axis=2) - image.min(axis=2) > 40).mean())


def test_the_page_draws_the_data_and_the_surface_and_asks_for_nothing(look):
    page = look(page_of(regression()))
    data, learned = picture(page, "data"), picture(page, "learned")
    assert 0.005 < inked(data) < inked(learned) - 0.05
    assert page.heard == []


@pytest.mark.parametrize("size", [(1440, 900), (400, 800), (900, 400)])
def test_nothing_is_cut_off_at_the_edges(look, size):
    run = regression()
    run.data = run.data._replace(feature_names=("first " * 8, "second " * 8))
    page = look(page_of(run))
    page.set_viewport_size(dict(zip(("width", "height"), size, strict=True)))
    for turns in ([], ["ArrowUp"] * 6, ["ArrowDown"] * 16):
        for key in turns:
            page.locator("#data").press(key)
        page.evaluate("() => document.activeElement.blur()")
        for name in ("data", "learned"):
            image = picture(page, name)
            edges = [image[1], image[-2], image[:, 1], image[:, -2]]
            assert min(edge.min() for edge in edges) == 255


def test_dragging_one_view_turns_both_and_a_double_click_resets(look):
    page = look(page_of(regression()))
    before = [picture(page, name) for name in ("data", "learned")]
    box = page.locator("#learned").bounding_box()
    x, y = box["x"] + 200, box["y"] + 200
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 120, y - 30, steps=3)
    page.mouse.up()
    for name, old in zip(("data", "learned"), before, strict=True):
        assert (picture(page, name) != old).any(axis=2).mean() > 0.02
    page.locator("#learned").dblclick()
    page.locator("h1").click()  # away, so that no focus ring shows
    page.evaluate("() => document.activeElement.blur()")
    assert (picture(page, "data") == before[0]).all()


@pytest.mark.parametrize("action", ["wheel", "keyboard"])
def test_wheel_and_keyboard_change_the_view(look, action):
    page = look(page_of(regression()))
    before = picture(page, "data")
    if action == "wheel":
        page.locator("#data").hover()
        page.mouse.wheel(0, -400)
    else:
        page.locator("#data").press("ArrowLeft")
    page.wait_for_timeout(100)
    assert (picture(page, "data") != before).any(axis=2).mean() > 0.02


def test_another_target_is_another_surface(look):
    page = look(page_of(regression(targets=3)))
    before = picture(page, "learned")
    page.locator("#target").select_option(label="y2")
    assert (picture(page, "learned") != before).any()
    assert page.locator("#choice").is_visible()


@pytest.mark.parametrize(("classes", "shown"), [(2, False), (5, True)])
def test_of_classes_it_is_the_probability(look, classes, shown):
    page = look(page_of(classification(classes)))
    assert inked(picture(page, "learned")) > inked(picture(page, "data")) + 0.05
    assert page.locator("#choice").is_visible() == shown
    assert page.heard == []


def test_names_stay_text(look):
    run = regression(name=ODD)
    run.data = run.data._replace(feature_names=(ODD, ODD), target_names=(ODD,))
    page = look(page_of(run))
    assert page.locator("h1").text_content() == ODD
    assert page.heard == []


def test_what_is_not_finite_is_left_out(look):
    def holes(x):
        return np.where(x[:, :1] > 0, np.nan, x[:, :1])

    page = look(page_of(regression(predictor=holes)))
    assert inked(picture(page, "learned")) > inked(picture(page, "data"))
    assert page.heard == []


def test_numbers_are_short_but_exact_over_the_range_they_span():
    run = regression()
    run.x = {part: x * 0.01 + 2000 for part, x in run.x.items()}
    a = np.array(content_of(page_of(run))["a"])
    assert (np.diff(a) > 0).all()
    assert np.allclose(np.diff(a), np.diff(a).mean(), atol=1e-4)


def test_the_page_is_small_however_many_examples_there_are():
    page = page_of(regression(n=20_000))
    assert len(page) < 60_000
    assert len(content_of(page)["points"]) <= 1000
    assert "of 20000 are shown" in content_of(page)["legend"]
