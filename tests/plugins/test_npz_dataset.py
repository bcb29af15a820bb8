"""Your own examples from an npz file: read as they are, or refused by file, array and reason."""

import io
import zipfile

import numpy as np
import pytest
from harness_plugins.datasets import npz
from harness_plugins.datasets.npz import NPZ

from harness.checks import checks_of
from harness.contracts import DataError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 3))
FLOATS, CODES, TEXTS = (
    X @ [[1.0], [2.0], [3.0]],
    np.array([3, 7, 3, 9, 7, 3]),
    np.array([*"bababc"]),
)
NAN = np.where(np.arange(18).reshape(6, 3) == 7, np.nan, X)


@pytest.fixture
def saved(tmp_path):
    """Writes arrays to a file and says how a dataset is made of it."""

    def save(task=None, write=np.savez, **arrays):
        write(tmp_path / "mine.npz", **arrays)
        return NPZ(str(tmp_path / "mine.npz"), task)

    return save


def load(dataset):
    return dataset.load(np.random.default_rng(0))


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("y", [FLOATS, CODES, TEXTS, CODES > 3], ids=["floats", *["codes"] * 3])
def test_what_was_saved_keeps_the_contract_of_datasets(saved, write, y):
    dataset = saved(write=write, x=X, y=y)
    for check in checks_of("dataset").values():
        check(dataset)
    assert np.array_equal(load(dataset).x, X)


def test_floats_are_targets_and_integers_and_texts_are_labels(saved):
    data = load(saved(x=X, y=FLOATS[:, 0]))
    assert (data.task, data.target_names) == ("regression", ("y",))
    assert np.array_equal(data.y, FLOATS)
    for y, names in ((CODES, ("3", "7", "9")), (TEXTS, ("a", "b", "c"))):
        data = load(saved(x=X, y=y))
        assert (data.task, data.class_names) == ("classification", names)
        assert [names[code] for code in data.y] == [str(label) for label in y]


def test_the_task_that_is_said_wins(saved):
    assert np.array_equal(load(saved("regression", x=X, y=CODES)).y, CODES[:, None])
    data = load(saved("classification", x=X, y=CODES[:, None].astype(float)))
    assert data.class_names == ("3", "7", "9")


def test_an_image_is_a_row_of_features_and_two_targets_have_names(saved):
    data = load(saved(x=np.ones((6, 4, 5), np.uint8), y=np.hstack([FLOATS, FLOATS])))
    assert data.x.shape == (6, 20)
    assert data.x.dtype == float
    assert data.target_names == ("y1", "y2")


@pytest.mark.parametrize(
    ("arrays", "task", "message"),
    [
        ({"x": X}, None, "no array 'y'; the arrays are x"),
        ({"x": X, "y": FLOATS[:5]}, None, r"x has the shape \(6, 3\) and y \(5, 1\): N examples"),
        ({"x": X, "y": np.float64(3)}, None, r"and y \(\): N examples"),
        ({"x": np.float64(3), "y": np.float64(3)}, None, r"the shape \(\) and y \(\): N examples"),
        ({"x": X, "y": FLOATS[:, :0]}, None, r"y \(6, 0\): N examples"),
        ({"x": X[:0], "y": FLOATS[:0]}, None, r"x has the shape \(0, 3\)"),
        ({"x": TEXTS, "y": FLOATS}, None, "x is <U1, and numbers are expected"),
        ({"x": X, "y": TEXTS}, "regression", "y is <U1, and numbers are expected"),
        ({"x": NAN, "y": FLOATS}, None, r"x\[2, 1\] is nan, which is not finite"),
        ({"x": X, "y": FLOATS[:, 0] * 1e300}, "classification", "y is float64"),
        ({"x": X, "y": FLOATS}, "classification", "integers or texts .* are expected of classes"),
        ({"x": X, "y": np.stack([CODES, CODES], 1)}, None, r"y is int64 \(6, 2\), and integers"),
        ({"x": X, "y": CODES * 0}, None, "0 is the only label"),
        ({"x": X, "y": np.array([None] * 6)}, None, "not a readable npz file: Object arrays"),
    ],
)
def test_arrays_that_cannot_be_used_are_told(saved, arrays, task, message):
    dataset = saved(task, **arrays)
    with pytest.raises(DataError, match=message) as caught:
        load(dataset)
    assert caught.value.path == dataset.path


def test_a_file_that_cannot_be_read_is_told(tmp_path, saved):
    with pytest.raises(DataError, match="No such file"):
        load(NPZ(str(tmp_path / "none.npz")))
    with pytest.raises(DataError, match="directory"):
        load(NPZ(str(tmp_path)))
    dataset = saved(x=X, y=CODES)
    content = bytearray((tmp_path / "mine.npz").read_bytes())
    content[200] ^= 1
    for spoilt in (content, content[:-30], b"PK"):
        (tmp_path / "mine.npz").write_bytes(spoilt)
        with pytest.raises(DataError, match="not a readable npz file"):
            load(dataset)


def test_a_bomb_is_refused_before_it_is_unpacked(saved, monkeypatch):
    monkeypatch.setattr(npz, "LARGEST", 10_000)
    zeros = np.zeros((6, 1000))
    with pytest.raises(DataError, match="it unpacks to 48,304 bytes, and 10,000 is the most"):
        load(saved(write=np.savez_compressed, x=zeros, y=CODES))
    assert load(saved(x=zeros, y=CODES)).x.shape == (6, 1000)  # as large as it looks


def test_a_header_that_says_another_size_is_refused(tmp_path):
    for shape in ((10**12,), (5,), (2,)):
        header = io.BytesIO()
        said = {"descr": "<f8", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(header, said)
        with zipfile.ZipFile(tmp_path / "mine.npz", "w") as archive:
            for name in ("x.npy", "y.npy"):
                archive.writestr(name, header.getvalue() + np.zeros(4).tobytes())
        with pytest.raises(DataError, match="not a readable npz file"):
            load(NPZ(str(tmp_path / "mine.npz")))


def test_bad_fields_are_refused():
    with pytest.raises(ValueError, match="path must name an npz file"):
        NPZ("")
    with pytest.raises(ValueError, match="task must be regression, classification or null"):
        NPZ("mine.npz", "clustering")
