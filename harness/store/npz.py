"""Arrays as the bytes of an npz file; reading one runs no code and fills no memory."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
from numpy.lib import format as npy

from harness.contracts import Array, Arrays


def pack(arrays: Mapping[str, Array]) -> bytes:
    """Return named arrays as an npz file, not compressed."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def unpack(content: bytes) -> dict[str, Array]:
    """Return the arrays that `pack` packed; raise ValueError if the bytes are damaged."""
    # Not np.load: that stops where an array's own header says, without the checksum, and reserves
    # as much memory as the header says (200 MB from a file of 194 kB).
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
            if sum(part.file_size for part in parts) > len(content):
                raise ValueError("it unpacks to more than its own size")
            return {p.filename.removesuffix(".npy"): _array(archive.read(p)) for p in parts}
    except Exception as error:  # zipfile and numpy raise a dozen kinds
        raise ValueError(f"not a whole npz file: {error}") from error


def _array(content: bytes) -> Array:
    """Return an array from its npy file; its shape and type must fit the bytes."""
    file = io.BytesIO(content)
    if npy.read_magic(file) != (1, 0):
        raise ValueError("not as numpy writes plain arrays")
    shape, fortran, dtype = npy.read_array_header_1_0(file)
    flat = np.frombuffer(bytearray(file.read()), dtype)
    return cast(Array, flat.reshape(shape, order="F" if fortran else "C"))


def pack_weights(weights: Sequence[Array]) -> bytes:
    """Return the content of `weights.npz`: `layer0`, `layer1`, … as the model made them."""
    return pack({f"layer{i}": array for i, array in enumerate(weights)})


def layers(arrays: Mapping[str, Array]) -> Arrays:
    """Return the arrays `layer0`, `layer1`, … in order."""
    count = sum(name.startswith("layer") for name in arrays)
    return [arrays[f"layer{i}"] for i in range(count)]
