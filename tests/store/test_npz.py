"""An npz file is read if it is whole and no larger than it looks; anything else is refused."""

import io
import pickle
import tracemalloc
import zipfile

import numpy as np
import pytest

from harness.store import npz

ARRAYS = [
    np.arange(12.0).reshape(3, 4),
    np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
    np.array(3),
    np.zeros((0, 4)),
    np.frombuffer("ünï".encode(), np.uint8),
]


def zipped(content, compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.writestr("layer0.npy", content)
    return buffer.getvalue()


def npy(array, **header):
    """An npy file; its header can say what is not so."""
    buffer = io.BytesIO()
    true = {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape}
    np.lib.format.write_array_header_1_0(buffer, true | header)
    return buffer.getvalue() + array.tobytes()


@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{a.dtype}{a.shape}")
def test_arrays_come_back_as_they_were(array):
    back = npz.unpack(npz.pack({"a": array, "layer0": array}))
    assert [*back] == ["a", "layer0"]
    assert back["a"].dtype == array.dtype
    assert np.array_equal(back["a"], array)
    assert back["a"].flags.writeable


def test_a_bomb_is_refused_before_it_is_unpacked():
    bomb = zipped(npy(np.zeros(200_000_000, np.uint8)), zipfile.ZIP_DEFLATED)
    assert len(bomb) < 1_000_000
    tracemalloc.start()
    with pytest.raises(ValueError, match="more than its own size"):
        npz.unpack(bomb)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("shape", [(10**12,), (2,), (5,), (10**6, 10**6), (-2, -2)])
def test_a_header_that_says_another_size_is_refused_before_memory_is_reserved(shape):
    with pytest.raises(ValueError, match="not a whole npz file"):
        npz.unpack(zipped(npy(np.zeros(4), shape=shape)))


def test_pickled_objects_are_refused_unread():
    told = []
    evil = type("Evil", (), {"__reduce__": lambda self: (told.append, ("run",))})()
    content = np.lib.format.magic(1, 0) + npy(np.zeros(0), descr="|O", shape=(1,))[8:]
    with pytest.raises(ValueError, match="not a whole npz file"):
        npz.unpack(zipped(content + pickle.dumps(evil)))
    assert not told


@pytest.mark.parametrize("content", [b"", b"PK", b"nothing", zipped(b"no npy")])
def test_what_is_no_npz_is_refused(content):
    with pytest.raises(ValueError, match="not a whole npz file"):
        npz.unpack(content)
