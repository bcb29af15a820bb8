"""What is on disk is whole, or not there."""

import os

import numpy as np
import pytest

from harness.errors import DiskError, UsageError
from harness.store import checkpoints
from harness.store.files import write_atomically
from harness.store.manifest import Manifest, Planned, read_manifest, write_manifest
from harness.store.results import (
    Curve,
    Result,
    pack_result,
    read_result,
    result_path,
    unpack_result,
    write_result,
)


def result(**changes):
    steps = np.array([0, 5, 10])
    curve = Curve(steps, np.array([3.0, 2.0, 1.0]), steps + 1_700_000_000_000)
    plain = {
        "fingerprint": "f" * 24,
        "outcome": "ok",
        "started": 1,
        "ended": 2,
        "curves": {"train/loss": curve, "val/loss": curve},
        "metrics": {"val/best_loss": 0.1 + 0.2},
        "weights": [np.eye(3), np.ones((4, 1), np.float32)],
        "reason": "ünïcode",
    }
    return Result(**{**plain, **changes})


def manifest(*fingerprints, **changes):
    runs = [
        Planned((i,), f, f"run {i}", (f"seed={i}",), {"seed": i})
        for i, f in enumerate(fingerprints)
    ]
    plain = {
        "sweep_id": "s",
        "single": False,
        "created": 1,
        "cwd": "here",
        "tracking_uri": "sqlite:///x",
        "experiment": "e",
        "name": "n",
        "overrides": ("seed=0,1",),
        "objective": {"metric": "val/best_loss", "direction": "minimize"},
        "tracking": {},
        "figures": {},
        "numerics": {},
        "runs": tuple(runs),
    }
    return Manifest(**{**plain, **changes})


def test_a_result_comes_back_as_it_was(tmp_path):
    write_result(tmp_path, result())
    back = read_result(tmp_path, "f" * 24)
    assert back.metrics == {"val/best_loss": 0.1 + 0.2}
    assert back.reason == "ünïcode"
    for key, curve in result().curves.items():
        assert all(np.array_equal(a, b) for a, b in zip(curve, back.curves[key], strict=True))
    for a, b in zip(result().weights, back.weights, strict=True):
        assert np.array_equal(a, b)
        assert a.dtype == b.dtype


def test_a_manifest_comes_back_as_it_was(tmp_path):
    write_manifest(tmp_path, manifest("a", "b"))
    assert read_manifest(tmp_path) == manifest("a", "b")


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9, 0.99])
def test_a_truncated_result_counts_as_none(tmp_path, part):
    write_result(tmp_path, result())
    path = result_path(tmp_path, "f" * 24)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    assert read_result(tmp_path, "f" * 24) is None


def test_a_flipped_bit_anywhere_in_a_result_is_noticed_or_harmless():
    whole = pack_result(result())
    for at in range(len(whole)):
        flipped = bytearray(whole)
        flipped[at] ^= 1 << at % 8
        try:
            back = unpack_result(bytes(flipped))
        except (ValueError, KeyError, TypeError):
            continue
        assert pack_result(back) == whole, at


def test_a_result_of_another_run_counts_as_none(tmp_path):
    write_result(tmp_path, result())
    result_path(tmp_path, "f" * 24).rename(result_path(tmp_path, "g"))
    assert read_result(tmp_path, "g") is None


def test_a_folder_without_a_manifest_is_told(tmp_path):
    with pytest.raises(UsageError, match=r"manifest\.json: no manifest"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"runs": 3}', '{"runs": []}', "null"])
def test_a_damaged_manifest_is_told(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(UsageError, match=r"manifest\.json: damaged"):
        read_manifest(tmp_path)


def test_a_manifest_of_another_schema_is_told_with_the_harness_that_wrote_it(tmp_path):
    write_manifest(tmp_path, manifest("a", schema=99, numerics={"harness": "9.8"}))
    with pytest.raises(UsageError, match=r"schema 99: harness 9\.8 wrote it, .* reads schema 1"):
        read_manifest(tmp_path)


def test_a_manifest_changed_by_one_character_is_refused(tmp_path):
    write_manifest(tmp_path, manifest("a", "b"))
    path = tmp_path / "manifest.json"
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(UsageError, match=r"manifest\.json: (changed|damaged|schema)"):
            read_manifest(tmp_path)
    for other in (whole[:-1], whole + b"\n"):
        path.write_bytes(other)
        with pytest.raises(UsageError, match=r"manifest\.json: (changed|damaged)"):
            read_manifest(tmp_path)


def test_runs_join_a_manifest_once_with_all_their_jobs():
    joined = manifest("a", "b").with_runs(manifest("b", "c").runs)
    assert [(run.fingerprint, run.jobs) for run in joined.runs] == [
        ("a", (0,)),
        ("b", (1, 0)),
        ("c", (1,)),
    ]


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def refuse(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(DiskError, match=r"cannot write .*: No space left on device"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_cannot_be_made_is_trouble_with_the_disk(tmp_path):
    for name in ("results", "checkpoints"):
        (tmp_path / name).write_text("in the way")
    with pytest.raises(DiskError, match=r"cannot write .*results"):
        write_result(tmp_path, result())
    with pytest.raises(DiskError, match=r"cannot write .*checkpoints"):
        checkpoints.write_checkpoint(tmp_path, "a", b"content")
