"""Splitting, scaling and encoding."""

import re
from dataclasses import dataclass, replace

import numpy as np
import pytest
from harness_plugins.losses import BCE, MSE
from hypothesis import given
from hypothesis import strategies as st

from harness.config.build import build
from harness.contracts import Data, DataError
from harness.errors import UsageError
from harness.training.data import (
    check_data,
    decode,
    encode,
    fit_scaling,
    prepare_for,
    random_stream,
    scale,
    split_rows,
)
from tests.conftest import make_config


def regression(n=10, **changes):
    x = np.arange(2.0 * n).reshape(n, 2)
    plain = Data(x, x[:, :1] * 3 + 1, "regression", ("a", "b"), ("y",))
    return plain._replace(**changes)


def classification(codes):
    x = np.arange(2.0 * len(codes)).reshape(-1, 2)
    names = tuple(str(c) for c in range(int(max(codes)) + 1))
    return Data(x, np.asarray(codes), "classification", ("a", "b"), ("kind",), names)


@given(
    n=st.integers(12, 200),
    validation=st.floats(0, 0.45),
    test=st.floats(0, 0.45),
    seed=st.integers(0, 9),
)
def test_parts_are_disjoint_cover_everything_and_have_their_share(n, validation, test, seed):
    data = regression(n)
    if (validation and not round(n * validation)) or (test and not round(n * test)):
        with pytest.raises(UsageError, match="leaves none"):
            split_rows(data, validation, test, np.random.default_rng(seed))
        return
    rows = split_rows(data, validation, test, np.random.default_rng(seed))
    assert sorted(np.concatenate([*rows.values()])) == [*range(n)]
    assert len(rows.get("validation", ())) == round(n * validation)
    assert len(rows.get("test", ())) == round(n * test)


@given(
    counts=st.lists(st.integers(5, 40), min_size=2, max_size=5),
    fraction=st.floats(0.1, 0.5),
    seed=st.integers(0, 9),
)
def test_each_class_gives_its_share(counts, fraction, seed):
    codes = np.repeat(np.arange(len(counts)), counts)
    rows = split_rows(classification(codes), fraction, 0.0, np.random.default_rng(seed))
    for code, count in enumerate(counts):
        held_out = (codes[rows["validation"]] == code).sum()
        assert abs(held_out - count * fraction) <= 1.5


def test_the_same_generator_gives_the_same_parts_and_another_gives_others():
    data = regression(50)
    first, again, other = (
        split_rows(data, 0.3, 0.1, np.random.default_rng(seed))["validation"] for seed in (1, 1, 2)
    )
    assert first.tolist() == again.tolist() != other.tolist()


def test_nothing_is_drawn_when_nothing_is_held_out():
    rng = np.random.default_rng(5)
    rows = split_rows(regression(), 0.0, 0.0, rng)
    assert rows["train"].tolist() == [*range(10)]
    assert rng.random() == np.random.default_rng(5).random()


def test_parts_that_leave_nothing_to_train_on_are_refused():
    with pytest.raises(UsageError, match="leave no example to train on"):
        split_rows(regression(3), 0.5, 0.49, np.random.default_rng(0))


def test_scaling_uses_the_training_part_alone_and_leaves_codes_and_constants():
    x = np.array([[1.0, 0, 5], [3, 1, 5], [100, 0, 5]])
    y = np.array([[10.0], [20], [1000]])
    data = Data(x, y, "regression", ("a", "is_b", "same"), ("y",), categorical=(1,))
    scaling = fit_scaling(data, np.array([0, 1]), standardize=True)
    assert scale(x, scaling).tolist() == [[-1, 0, 0], [1, 1, 0], [98, 0, 0]]
    assert encode(y, "regression", data, scaling)[:, 0].tolist() == [-1, 1, 197]


def test_decoding_undoes_encoding_in_the_units_of_the_data():
    data = regression()
    scaling = fit_scaling(data, np.arange(7), standardize=True)
    encoded = encode(data.y, "regression", data, scaling)[None]
    np.testing.assert_allclose(decode(encoded, MSE(), scaling)[0], data.y, rtol=1e-13)


def test_labels_become_one_column_or_one_a_class():
    data = classification([0, 1, 1])
    scaling = fit_scaling(data, np.arange(3), standardize=False)
    assert encode(data.y, "binary", data, scaling).tolist() == [[0], [1], [1]]
    assert encode(data.y, "multiclass", data, scaling).tolist() == [[1, 0], [0, 1], [0, 1]]
    assert decode(np.zeros((1, 2, 1)), BCE(), scaling).tolist() == [[[0.5, 0.5]] * 2]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"x": np.zeros(10)}, r"x has shape \(10,\)"),
        ({"x": np.zeros((0, 2)), "y": np.zeros((0, 1))}, "x has shape"),
        ({"y": np.zeros((9, 1))}, "x has 10 rows and y has 9"),
        ({"task": "ranking"}, "task is 'ranking'"),
        ({"y": np.zeros(10)}, "a regression's is floats"),
        ({"y": np.zeros((10, 1), int)}, "a regression's is floats"),
        ({"task": "classification"}, "integer codes"),
        ({"x": np.full((10, 2), np.nan)}, "not finite"),
        ({"feature_names": ("a",)}, "1 feature names for 2 features"),
        (
            {"task": "classification", "y": np.full(10, 2), "class_names": ("n", "p")},
            "class codes 2 to 2 for 2 class names",
        ),
    ],
)
def test_data_that_breaks_the_contract_is_told(changes, said):
    with pytest.raises(UsageError, match=said):
        check_data(regression(**changes), "mine")


@dataclass(frozen=True)
class Steep:
    """A dataset with one large number, in a feature or in the target."""

    value: float
    target: bool = False

    def load(self, rng):
        data = regression()
        (data.y if self.target else data.x)[7, 0] = self.value
        return data


@pytest.mark.parametrize("target", [False, True])
@pytest.mark.parametrize(
    ("dtype", "good", "bad"), [("float64", 9e149, -1.1e150), ("float32", 9e17, 1.1e18)]
)
def test_a_number_whose_square_overflows_is_refused_with_its_column(dtype, good, bad, target):
    member = build(make_config(dtype=dtype))
    prepared = prepare_for(replace(member, dataset=Steep(good, target)))
    assert np.isfinite(np.concatenate(prepared.ready("train", "regression", dtype), 1)).all()
    name = "y" if target else "a"
    said = f"dataset Steep, column '{name}': example 7: {bad:g} is beyond "
    with pytest.raises(DataError, match=rf"{re.escape(said)}.* dtype={dtype}"):
        prepare_for(replace(member, dataset=Steep(bad, target)))


def test_streams_of_one_seed_differ_by_purpose_and_repeat():
    draws = {
        name: random_stream(7, name).random() for name in ("data", "split", "weights", "batches")
    }
    assert len(set(draws.values())) == 4
    assert random_stream(7, "data").random() == draws["data"]
