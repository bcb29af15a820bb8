import numpy as np
import pytest
from harness_plugins.losses import BCE, MSE, Hinge, Huber, SoftmaxCrossEntropy
from scipy.special import log_softmax

from tests.plugins.references.losses import WEIGHTS, example


def test_the_teaching_examples_of_half_a_mean_square():
    y = np.array([[[1.0], [2.0]]])
    assert MSE()(y, y).tolist() == [0]
    assert MSE()(np.array([[[2.0], [2.0]]]), y).tolist() == [0.25]
    both = np.array([[[1.0, 2.0]]])
    assert MSE().gradient(both + 1, both).tolist() == [[[0.5, 0.5]]]


def test_binary_cross_entropy_is_the_log_of_what_was_said_of_the_truth():
    p, y = example(BCE(), 2, 50, 1)
    said = np.take_along_axis(BCE().probabilities(p), y.astype(int), axis=-1)
    np.testing.assert_allclose(BCE()(p, y), -np.log(said).mean(axis=(1, 2)), rtol=1e-13)
    sure = np.full((1, 1, 1), 50.0)
    np.testing.assert_allclose(BCE()(sure, np.ones((1, 1, 1))), [np.exp(-50)], rtol=1e-12)
    assert BCE()(20 * sure, np.zeros((1, 1, 1))).tolist() == [1000]


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_class_weights_make_a_weighted_mean(smoothing):
    loss = SoftmaxCrossEntropy(smoothing, WEIGHTS)
    p, y = example(loss, 2, 20, 3)
    logs = log_softmax(p, axis=-1)
    for r in range(2):
        weighted = spread = total = 0.0
        for n in range(20):
            code = int(y[r, n].argmax())
            weighted -= WEIGHTS[code] * logs[r, n, code]
            spread -= sum(w * log for w, log in zip(WEIGHTS, logs[r, n], strict=True)) / 3
            total += WEIGHTS[code]
        expected = ((1 - smoothing) * weighted + smoothing * spread) / total
        np.testing.assert_allclose(loss(p, y)[r], expected, rtol=1e-13)


def test_class_weights_of_two_classes_make_a_weighted_mean():
    p, y = example(BCE(), 1, 20, 1)
    each = [BCE()(p[:, i : i + 1], y[:, i : i + 1])[0] for i in range(20)]
    weights = np.where(y[0, :, 0] == 1, 5.0, 0.5)
    np.testing.assert_allclose(BCE((0.5, 5.0))(p, y), np.average(each, weights=weights))


def test_a_hinge_asks_for_a_margin_of_1_and_no_more():
    p, y = np.array([[[3.0], [0.5], [-1.0]]]), np.ones((1, 3, 1))
    np.testing.assert_allclose(Hinge()(p, y), (0 + 0.5 + 2) / 3)
    np.testing.assert_allclose(Hinge().gradient(p, y)[0, :, 0], [0, -1 / 3, -1 / 3])


def test_equal_class_weights_change_nothing():
    p, y = example(SoftmaxCrossEntropy(), 2, 20, 3)
    plain, even = SoftmaxCrossEntropy(0.1), SoftmaxCrossEntropy(0.1, (7.0, 7.0, 7.0))
    np.testing.assert_allclose(plain(p, y), even(p, y), rtol=1e-13)
    np.testing.assert_allclose(plain.gradient(p, y), even.gradient(p, y), rtol=1e-12)


def test_bad_fields_are_refused():
    for smoothing in (-0.1, 1.0, np.nan):
        with pytest.raises(ValueError, match="label_smoothing must be in"):
            SoftmaxCrossEntropy(smoothing)
    for delta in (0.0, np.inf):
        with pytest.raises(ValueError, match="delta must be positive"):
            Huber(delta)
    with pytest.raises(ValueError, match="class_weights must be positive"):
        BCE((1.0, -1.0))
    with pytest.raises(ValueError, match="class_weights has 3 numbers for 2 classes"):
        BCE(WEIGHTS)
    for weights in ((1.0, 0.0), (-1.0,), (np.inf, 1.0)):
        with pytest.raises(ValueError, match="class_weights must be positive"):
            SoftmaxCrossEntropy(class_weights=weights)
    p, y = example(SoftmaxCrossEntropy(), 1, 4, 3)
    with pytest.raises(ValueError, match="class_weights has 1 numbers for 3 classes"):
        SoftmaxCrossEntropy(class_weights=(1.0,))(p, y)
