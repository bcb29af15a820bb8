"""Metrics against scikit-learn's, and their laws: a run's number does not depend on company."""

import numpy as np
import pytest
from harness_plugins.metrics import (
    F1,
    MAE,
    R2,
    RMSE,
    ROCAUC,
    Accuracy,
    ExplainedVariance,
    LogLoss,
    Precision,
    Recall,
    TopK,
)
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

REGRESSION = [R2, RMSE, MAE, ExplainedVariance]
CLASSIFICATION = [Accuracy, F1, Precision, Recall, TopK, LogLoss, ROCAUC]
REFERENCES = {
    R2: sklearn_metrics.r2_score,
    ExplainedVariance: sklearn_metrics.explained_variance_score,
    RMSE: sklearn_metrics.root_mean_squared_error,
    MAE: sklearn_metrics.mean_absolute_error,
    F1: sklearn_metrics.f1_score,
    Precision: sklearn_metrics.precision_score,
    Recall: sklearn_metrics.recall_score,
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
    assert Accuracy()(prediction, y) == pytest.approx(accuracy, abs=1e-15)
    assert TopK(1)(prediction, y).tolist() == Accuracy()(prediction, y).tolist()
    for cls in (F1, Precision, Recall):
        expected = [REFERENCES[cls](y, one, average=average, zero_division=0) for one in codes]
        assert cls()(prediction, y) == pytest.approx(expected, abs=1e-15)


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
    smaller = {cls for cls in REGRESSION + CLASSIFICATION if not cls.greater_is_better}
    assert smaller == {RMSE, MAE, LogLoss}


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


@given(st.integers(0, 10**6), st.integers(2, 30), st.integers(1, 6))
def test_roc_auc_is_the_share_of_pairs_in_order_and_a_tie_is_half_a_pair(seed, samples, levels):
    rng = np.random.default_rng(seed)
    y = np.append([0, 1], rng.integers(0, 2, samples))
    score = rng.integers(0, levels + 1, (2, len(y))) / levels
    prediction = np.stack([1 - score, score], axis=-1)
    pairs = score[:, y == 1][:, :, None] - score[:, y == 0][:, None]
    due = np.mean((pairs > 0) + 0.5 * (pairs == 0), axis=(1, 2))
    assert ROCAUC()(prediction, y) == pytest.approx(due, abs=1e-15)
    assert ROCAUC()(prediction, y) == pytest.approx(
        [sklearn_metrics.roc_auc_score(y, one) for one in score], abs=1e-12
    )


def test_roc_auc_of_a_single_class_is_no_number():
    assert np.isnan(ROCAUC()(np.full((2, 3, 2), 0.5), np.ones(3, int))).all()


def test_a_shift_of_the_prediction_costs_no_explained_variance():
    y = np.arange(12.0).reshape(6, 2)
    y[:, 1] = 0.1
    assert ExplainedVariance()((y + 0.7)[None], y) == pytest.approx(1, abs=1e-14)


def test_an_impossible_true_class_costs_a_finite_log_loss():
    values = LogLoss()(sure([1, 0], 2), np.array([0, 0]))
    assert values == pytest.approx(-np.log(np.finfo(float).eps) / 2)


def test_top_k_counts_classes_before_the_true_one_and_none_that_is_no_number():
    prediction = np.array([[[0.5, 0.3, 0.2], [0.2, 0.2, 0.6], [np.nan, np.nan, np.nan]]])
    y = np.array([2, 1, 0])
    assert [TopK(k)(prediction[:, :2], y[:2])[0] for k in (1, 2, 3)] == [0, 0, 1]
    assert TopK(3)(prediction, y)[0] == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="k must be 1 or more"):
        TopK(0)
