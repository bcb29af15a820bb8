"""Version 0.1.0 was the distribution `harness`: what it leaves behind gives no plugin twice."""

import pytest

from harness.config.registry import find_plugin
from tests.support.strangers import forget, strangers


@pytest.fixture
def installed(tmp_path):
    """Put metadata with these entry points beside ours: a function."""

    def install(*lines, name="harness"):
        info = found.folder / f"{name}-0.1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n")
        (info / "entry_points.txt").write_text("\n".join(["[harness.activation]", *lines, ""]))
        forget()

    with strangers(tmp_path / "site-packages") as found:
        yield install


def test_our_entry_points_under_the_former_name_are_left_out(installed):
    installed("relu = harness_plugins.activations:ReLU", "gone = harness_plugins.old:Gone")
    assert find_plugin("activation", "relu").distribution == "numpy-harness"
    with pytest.raises(Exception, match="there is no 'gone'"):
        find_plugin("activation", "gone")


def test_another_projects_plugin_of_that_distribution_is_a_strangers(installed):
    installed("relu = theirs:ReLU", "wave = theirs:Wave")
    assert find_plugin("activation", "wave").distribution == "harness"
    with pytest.raises(Exception, match="choose activation=harness/relu or activation=numpy-har"):
        find_plugin("activation", "relu")


def test_a_recorded_full_name_leads_to_our_plugin(installed):
    installed("relu = theirs:ReLU", name="theirs")
    assert find_plugin("activation", "harness/relu").distribution == "numpy-harness"
