"""Metrics against scikit-learn's, and their laws: a run's number does not depend on company."""

import numpy as np
import pytest
from harness_plugins.metrics import F1, MAE, R2, RMSE, Accuracy
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

REGRESSION = [R2, RMSE, MAE]
CLASSIFICATION = [Accuracy, F1]
REFERENCES = {
    R2: sklearn_metrics.r2_score,
    RMSE: sklearn_metrics.root_mean_squared_error,
    MAE: sklearn_metrics.mean_absolute_error,
    Accuracy: sklearn_metrics.accuracy_score,
}


def regression(seed, runs, samples, targets, dtype=np.float64):
    rng = np.random.default_rng(seed)
    y = rng.normal(3, 2, (samples, targets))
    prediction = y + rng.normal(0, 1, (runs, samples, targets))
    return prediction.astype(dtype), y.astype(dtype)


def classification(seed, runs, samples, classes, dtype=np.float64):
    rng = np.random.default_rng(seed)
    prediction = rng.dirichlet(np.ones(classes), (runs, samples))
    return prediction.astype(dtype), rng.integers(0, classes, samples)


def sure(codes, classes):
    """Probabilities (1, N, classes) that name these classes."""
    return np.eye(classes)[np.asarray(codes)][None]


@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(2, 30), st.integers(1, 4))
def test_regression_metrics_are_scikit_learns(seed, runs, samples, targets):
    prediction, y = regression(seed, runs, samples, targets)
    for cls in REGRESSION:
        expected = [REFERENCES[cls](y, one) for one in prediction]
        assert cls()(prediction, y) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 30), st.integers(2, 5))
def test_classification_metrics_are_scikit_learns_absent_classes_included(
    seed, runs, samples, classes
):
    prediction, y = classification(seed, runs, samples, classes)
    codes = prediction.argmax(axis=-1)
    average = "binary" if classes == 2 else "macro"
    accuracy = [sklearn_metrics.accuracy_score(y, one) for one in codes]
    f1 = [sklearn_metrics.f1_score(y, one, average=average, zero_division=0) for one in codes]
    assert Accuracy()(prediction, y) == pytest.approx(accuracy, abs=1e-15)
    assert F1()(prediction, y) == pytest.approx(f1, abs=1e-15)


@pytest.mark.parametrize("cls", REGRESSION + CLASSIFICATION)
@pytest.mark.parametrize("width", [1, 2, 3, 10])
def test_the_layout_of_the_prediction_in_memory_changes_no_bit(cls, width):
    make = regression if cls in REGRESSION else classification
    prediction, y = make(1, 5, 777, width)
    feature_major = np.ascontiguousarray(prediction.mT).mT
    runs_last = np.ascontiguousarray(np.moveaxis(prediction, 0, -1)).transpose(2, 0, 1)
    every_second = np.repeat(prediction, 2, axis=1)[:, ::2]
    expected = cls()(prediction, y).tobytes()
    for same in (feature_major, runs_last, every_second):
        assert cls()(same, y).tobytes() == expected


def test_only_errors_are_better_when_smaller():
    better = {cls: cls.greater_is_better for cls in REGRESSION + CLASSIFICATION}
    assert better == {R2: True, RMSE: False, MAE: False, Accuracy: True, F1: True}


@pytest.mark.parametrize("cls", REGRESSION + CLASSIFICATION)
def test_a_metric_has_no_fields_and_equals_its_like(cls):
    assert cls() == cls()
    assert cls.__dataclass_fields__.keys() == {"greater_is_better"}


def test_the_values_of_a_case_done_by_hand():
    y = np.array([[1.0], [2.0], [3.0]])
    prediction = np.array([[[1.0], [2.0], [6.0]]])
    assert MAE()(prediction, y).tolist() == [1.0]
    assert RMSE()(prediction, y)[0] == pytest.approx(3**0.5)
    assert R2()(prediction, y)[0] == pytest.approx(1 - 9 / 2)


@given(st.floats(-1e6, 1e6), st.integers(1, 50), st.floats(1e-3, 1e3))
def test_r2_of_a_target_that_never_varies_is_one_if_predicted_exactly_else_zero(
    value, samples, error
):
    y = np.full((samples, 1), value)
    assert R2()(np.stack([y, y + error]), y).tolist() == [1.0, 0.0]


def test_r2_of_several_targets_is_their_mean_and_a_constant_one_counts():
    y = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]])
    exact_in_the_first = y + np.array([0.0, 1.0])
    mean_of_the_first = np.array([[2.0, 5.0]] * 3)
    values = R2()(np.stack([exact_in_the_first, mean_of_the_first, y]), y)
    assert values.tolist() == [0.5, 0.5, 1.0]


def test_a_prediction_far_out_spoils_its_own_row_only():
    prediction, y = regression(3, 3, 10, 1)
    alone = {cls: cls()(prediction[:1], y)[0] for cls in REGRESSION}
    prediction[1], prediction[2] = 1e300, np.inf
    for cls in REGRESSION:
        values = cls()(prediction, y)
        assert values[0] == alone[cls]
        assert not np.isfinite(values[2])
    assert RMSE()(prediction, y)[1] == np.inf


def test_f1_of_two_classes_is_that_of_class_one():
    prediction = np.concatenate([sure([0, 0, 0, 0], 2), sure([1, 1, 1, 1], 2)])
    assert F1()(prediction, np.array([0, 0, 0, 1])) == pytest.approx([0, 0.4])
    assert F1()(prediction, np.array([0, 0, 0, 0])).tolist() == [0, 0]


def test_f1_of_more_classes_is_the_mean_over_those_that_occur():
    y = np.array([0, 0, 2, 2])
    assert F1()(sure([0, 0, 2, 2], 4), y).tolist() == [1]
    assert F1()(sure([0, 0, 2, 1], 4), y) == pytest.approx((1 + 2 / 3 + 0) / 3)


def test_of_equal_probabilities_the_first_class_wins():
    prediction = np.full((1, 2, 2), 0.5)
    assert Accuracy()(prediction, np.array([0, 1])).tolist() == [0.5]
