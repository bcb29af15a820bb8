"""The datasets that need no file: each of them loads, and the drawn ones obey their formula."""

import platform
from importlib.metadata import entry_points

import numpy as np
import pytest
from harness_plugins.datasets.bundled import BreastCancer, Diabetes, Digits, Iris, Wine
from harness_plugins.datasets.generated.classification import (
    XOR,
    Blobs,
    Checkerboard,
    Circles,
    Classification,
    Moons,
    Spirals,
)
from harness_plugins.datasets.generated.regression import Friedman1, Regression, Sine, Surface
from hypothesis import given
from hypothesis import strategies as st

from harness.numerics import sigmoid, with_ones

ADJUSTABLE = [Checkerboard, Classification, Regression, Sine]
GENERATED = [Surface, Moons, Circles, Spirals, XOR, Blobs, Friedman1, *ADJUSTABLE]
PLANE = [Moons, Circles, Spirals, XOR, Checkerboard]
BUNDLED = [Digits, Iris, Wine, BreastCancer, Diabetes]


def load(dataset, seed=0):
    return dataset.load(np.random.default_rng(seed))


def names_of(classes):
    return [cls.__name__ for cls in classes]


def test_the_tables_here_hold_every_dataset_that_needs_no_file():
    ours = {
        e.value for e in entry_points(group="harness.dataset") if e.dist.name == "numpy-harness"
    }
    here = {f"{cls.__module__}:{cls.__name__}" for cls in GENERATED + BUNDLED}
    files = {"harness_plugins.datasets.csv:CSV", "harness_plugins.datasets.npz:NPZ"}
    assert ours - files == here


@pytest.mark.parametrize("cls", GENERATED, ids=names_of(GENERATED))
def test_another_seed_gives_other_examples(cls):
    assert not np.array_equal(load(cls(), seed=1).x, load(cls(), seed=2).x)


@pytest.mark.parametrize("cls", BUNDLED, ids=names_of(BUNDLED))
def test_no_seed_changes_a_bundled_dataset(cls):
    rng = np.random.default_rng(3)
    cls().load(rng)
    assert rng.bit_generator.state == np.random.default_rng(3).bit_generator.state


@given(st.integers(2, 60), st.sampled_from(PLANE))
def test_classes_of_the_plane_are_balanced_for_any_number_of_samples(samples, cls):
    data = load(cls(samples=samples))
    counts = np.bincount(data.y, minlength=2)
    assert counts.sum() == samples == len(data.x)
    assert abs(counts[0] - counts[1]) <= 1


@given(st.integers(2, 6), st.integers(1, 5), st.integers(0, 20))
def test_blobs_are_balanced_for_any_number_of_classes(classes, features, more):
    data = load(Blobs(samples=classes + more, classes=classes, features=features))
    counts = np.bincount(data.y, minlength=classes)
    assert data.x.shape == (classes + more, features)
    assert len(counts) == len(data.class_names) == classes
    assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("cls", GENERATED, ids=names_of(GENERATED))
def test_noise_has_the_standard_deviation_asked_for(cls):
    quiet, noisy = load(cls(samples=4000, noise=0.0)), load(cls(samples=4000, noise=0.5))
    moved = noisy.y - quiet.y if quiet.task == "regression" else noisy.x - quiet.x
    assert moved.std() == pytest.approx(0.5, rel=0.05)
    assert moved.mean() == pytest.approx(0, abs=0.05)


def test_surface_is_drawn_x1_then_x2_then_noise():
    rng = np.random.default_rng(5)
    x1, x2 = rng.uniform(-2, 2, 30), rng.uniform(-2, 2, 30)
    y = 1.2 * np.sin(x1) + 0.7 * x2 - 0.3 * x1 * x2 + rng.normal(0, 0.1, 30)
    data = load(Surface(samples=30), seed=5)
    assert np.array_equal(data.x, np.stack([x1, x2], axis=1))
    assert np.array_equal(data.y, y[:, None])
    assert data.feature_names == ("x1", "x2")
    assert data.target_names == ("y",)
    assert not data.standardize


def test_the_first_loss_of_the_notebooks_net_on_surface_is_the_notebooks():
    rng = np.random.default_rng(42)
    data = Surface().load(rng)
    w1, w2 = rng.normal(0, 0.1, (3, 4)), rng.normal(0, 0.1, (5, 1))
    prediction = with_ones(sigmoid(with_ones(data.x[None]) @ w1)) @ w2
    loss = 0.5 * np.mean((prediction - data.y) ** 2)
    reference_build = (platform.system(), platform.machine()) == ("Linux", "x86_64")
    assert loss == pytest.approx(0.8242660887048511, rel=0 if reference_build else 1e-14, abs=0)


def test_moons_without_noise_are_two_half_circles():
    data = load(Moons(noise=0.0))
    upper, lower = data.x[data.y == 0], data.x[data.y == 1]
    assert np.allclose(np.hypot(*upper.T), 1)
    assert np.allclose(np.hypot(lower[:, 0] - 1, lower[:, 1] - 0.5), 1)
    assert (upper[:, 1] >= 0).all()
    assert (lower[:, 1] <= 0.5).all()


def test_circles_without_noise_have_radius_one_and_a_half():
    data = load(Circles(noise=0.0))
    assert np.allclose(np.hypot(*data.x.T), np.where(data.y == 0, 1, 0.5))


def test_spirals_without_noise_turn_by_pi_a_unit_of_radius_and_are_half_a_turn_apart():
    data = load(Spirals(noise=0.0))
    radius, angle = np.hypot(*data.x.T), np.arctan2(data.x[:, 1], data.x[:, 0])
    turned_back = angle - np.pi * (radius + data.y)
    assert np.allclose(np.cos(turned_back), 1)
    assert radius.max() <= 3


def test_xor_without_noise_is_the_product_of_the_signs():
    data = load(XOR(noise=0.0))
    assert np.array_equal(data.y == 1, data.x[:, 0] * data.x[:, 1] < 0)
    quadrants = {tuple(signs) for signs in np.sign(data.x).tolist()}
    assert quadrants == {(1, 1), (1, -1), (-1, 1), (-1, -1)}


def test_blobs_without_noise_are_one_point_a_class():
    data = load(Blobs(noise=0.0, classes=4, features=3))
    centres = np.unique(data.x, axis=0)
    assert centres.shape == (4, 3)
    assert (np.abs(centres) <= 2).all()
    assert data.class_names == ("0", "1", "2", "3")


def test_friedman1_without_noise_is_its_formula_and_ignores_later_features():
    data = load(Friedman1(noise=0.0, features=7))
    x1, x2, x3, x4, x5, _, _ = data.x.T
    y = 10 * np.sin(np.pi * x1 * x2) + 20 * (x3 - 0.5) ** 2 + 10 * x4 + 5 * x5
    assert np.allclose(data.y[:, 0], y, rtol=1e-14)
    assert data.standardize


@pytest.mark.parametrize("squares", [2, 3, 8])
def test_a_checkerboard_without_noise_has_the_colours_of_its_squares(squares):
    data = load(Checkerboard(samples=3000, squares=squares))
    square = np.floor((data.x + 1) / 2 * squares).astype(int)
    assert np.array_equal(data.y, square.sum(axis=1) % 2)
    assert len(np.unique(square, axis=0)) == squares**2


def test_a_sine_without_noise_is_one():
    data = load(Sine(noise=0.0, frequency=3.0))
    assert np.allclose(data.y, np.sin(3 * data.x), rtol=1e-14)
    assert np.abs(data.x).max() <= np.pi


def test_only_the_informative_features_of_a_regression_tell_of_y():
    data = load(Regression(noise=0.0, features=6, informative=2))
    w, *_ = np.linalg.lstsq(data.x, data.y, rcond=None)
    assert (np.abs(w[:2]) > 1e-3).all()
    assert np.allclose(w[2:], 0, atol=1e-12)


@pytest.mark.parametrize(("informative", "classes"), [(1, 2), (3, 8), (100, 4)])
def test_classes_sit_at_corners_of_their_own_as_far_apart_as_asked(informative, classes):
    fields = {"features": informative + 2, "informative": informative, "classes": classes}
    data = load(Classification(noise=0.0, separation=1.5, **fields))
    corners = np.unique(data.x, axis=0)
    assert len(corners) == classes
    assert (np.abs(corners[:, :informative]) == 1.5).all()
    assert (corners[:, informative:] == 0).all()


BAD = [
    *[(cls, {"samples": 0}, "samples must be . or more, not 0") for cls in GENERATED],
    *[(cls, {"samples": 1}, "samples must be 2 or more, not 1") for cls in PLANE],
    *[(cls, {"noise": -0.1}, "noise must be 0 or more, not -0.1") for cls in GENERATED],
    *[(cls, {"noise": float("nan")}, "noise must be .* not nan") for cls in GENERATED],
    *[(cls, {"noise": float("inf")}, "noise must be .* not inf") for cls in GENERATED],
    (Blobs, {"classes": 1}, "classes must be 2 or more, not 1"),
    (Blobs, {"features": 0}, "features must be 1 or more, not 0"),
    (Blobs, {"samples": 3, "classes": 4}, "samples must be 4 or more, not 3"),
    (Friedman1, {"features": 4}, "features must be 5 or more, not 4"),
    (Checkerboard, {"squares": 1}, "squares must be 2 or more, not 1"),
    (Sine, {"frequency": 0.0}, "frequency must be positive and finite, not 0.0"),
    (Regression, {"features": 0}, "features must be 1 or more, not 0"),
    (Regression, {"informative": 11}, "informative must be .* from 1 to 10, not 11"),
    (Classification, {"classes": 33}, "classes must be .* from 2 to 32, .* not 33"),
    (Classification, {"separation": 0.0}, "separation must be positive and finite, not 0.0"),
]


@pytest.mark.parametrize(("cls", "fields", "message"), BAD)
def test_a_field_out_of_range_is_refused_by_name_value_and_range(cls, fields, message):
    with pytest.raises(ValueError, match=message):
        cls(**fields)


@pytest.mark.parametrize(
    ("cls", "shape", "first_feature", "names"),
    [
        (Digits, (1797, 64), "pixel_0_0", tuple("0123456789")),
        (Iris, (150, 4), "sepal length (cm)", ("setosa", "versicolor", "virginica")),
        (Wine, (178, 13), "alcohol", ("class_0", "class_1", "class_2")),
        (BreastCancer, (569, 30), "mean radius", ("malignant", "benign")),
        (Diabetes, (442, 10), "age", ()),
    ],
)
def test_a_bundled_dataset_has_its_real_names(cls, shape, first_feature, names):
    data = load(cls())
    assert data.x.shape == shape
    assert data.feature_names[0] == first_feature
    assert data.class_names == names
    assert data.standardize == (cls is not Digits)


def test_digits_are_ink_from_zero_to_one_and_diabetes_is_in_its_own_units():
    digits, diabetes = load(Digits()), load(Diabetes())
    assert (digits.x.min(), digits.x.max()) == (0, 1)
    assert (diabetes.x[:, 0].min(), diabetes.x[:, 0].max()) == (19, 79)
    assert (diabetes.y.min(), diabetes.y.max()) == (25, 346)
