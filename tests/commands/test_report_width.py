"""A report on a narrow screen: nothing is wider than the page, but tables, which scroll."""

from harness.commands.report.collect import from_folder
from harness.commands.report.page import render_page
from tests.support.recorded import QUIET

pytestmark = QUIET
RIGHT = "() => [...document.images].map(image => image.getBoundingClientRect().right)"


def test_a_report_is_as_wide_as_the_screen(launched, place, browser):
    folder = launched("figures.names=[loss,network]", "tracking.run_name=" + "long_name" * 12)
    (place / "page.html").write_text(render_page(from_folder(folder)))
    page = browser.new_page()
    for width in (320, 400, 800):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto((place / "page.html").as_uri())
        assert page.evaluate("() => document.documentElement.scrollWidth") == width
        assert 0 < max(page.evaluate(RIGHT)) <= width
    page.close()
