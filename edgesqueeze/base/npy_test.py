import contextlib
import io
import os
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgesqueeze.base.npy import read_arrays

ARRAYS = {
    "float": np.arange(6, dtype=np.float32).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "big": np.arange(4, dtype=">i2"),
    "flags": np.array([True, False]),
    "words": np.array(["größe", "b"]),
    "scalar": np.float64(3.5),
    "empty": np.zeros((0, 4), np.int8),
    "complex": np.array([1j]),
}


def npy(array):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(array), allow_pickle=True)
    return stream.getvalue()


def npz(members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def read(tmp_path, content):
    (tmp_path / "data").write_bytes(content)
    return read_arrays(tmp_path / "data")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_come_back_as_numpy_reads_them(tmp_path, save):
    save(tmp_path / "data.npz", **ARRAYS)
    found = read_arrays(tmp_path / "data.npz")
    assert list(found) == list(ARRAYS)
    for name, array in found.items():
        np.testing.assert_array_equal(array, ARRAYS[name])
        assert (array.dtype, array.shape) == (np.asarray(ARRAYS[name]).dtype, np.shape(ARRAYS[name]))
        assert array.flags.writeable


def test_one_array_alone(tmp_path):
    found = read(tmp_path, npy(ARRAYS["float"]))
    np.testing.assert_array_equal(found["x"], ARRAYS["float"])


def header(text, version=b"\x01\x00"):
    size = len(text).to_bytes(2 if version[0] == 1 else 4, "little")
    return b"\x93NUMPY" + version + size + text.encode()


DESCRIBED = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n"
BROKEN = {
    "objects": npy(np.array([object()])),
    "records": npy(np.zeros(2, [("a", "i4")])),
    "terabytes of numbers": header(DESCRIBED % ("<f8", "(1000000, 1000000)")) + bytes(64),
    "terabytes in one element": header(DESCRIBED % ("|S1000000000000", "(1,)")) + bytes(64),
    "terabytes of nothing": header(DESCRIBED % ("|V100000000000", "(9,)")) + bytes(64),
    "an element without a size": header(DESCRIBED % ("<U0", "(9999999999999,)")) + bytes(64),
    "a shape that overflows": header(DESCRIBED % ("|u1", "(" + "4294967296," * 9 + ")")),
    "a negative shape": header(DESCRIBED % ("<f4", "(-1, -16)")) + bytes(64),
    "a shape of 40": header(DESCRIBED % ("|u1", "(" + "1," * 40 + ")")) + bytes(1),
    "no shape": header(DESCRIBED % ("<f4", "None")),
    "floats in the shape": header(DESCRIBED % ("<f4", "(1.5,)")) + bytes(6),
    "nested": header("(" * 5000 + "\n"),
    "code": header("__import__('os').system('false')\n"),
    "a header without end": header(" " * 9 + "\n", b"\x02\x00")[:12],
    "a version of the future": header(DESCRIBED % ("<f4", "(1,)"), b"\x09\x00") + bytes(4),
    "an unknown type": header(DESCRIBED % ("<q17", "(1,)")) + bytes(17),
    "less than promised": npy(ARRAYS["float"])[:-1],
    "more than promised": npy(ARRAYS["float"]) + b"x",
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_no_plain_array_is_refused_in_a_file_and_in_an_archive(tmp_path, what):
    with pytest.raises(ValueError, match=r"array|cut off"):
        read(tmp_path, BROKEN[what])
    with pytest.raises(ValueError, match=r"array|cut off|size"):
        read(tmp_path, npz({"x.npy": BROKEN[what]}))


def test_members_that_are_no_arrays_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"'readme.txt' is no array"):
        read(tmp_path, npz({"x.npy": npy(np.arange(3)), "readme.txt": b"hello"}))


def test_what_is_no_regular_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(OSError, match="not a regular file"):
            read_arrays(path)


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 255), st.integers(0, 30))
def test_damage_is_a_value_error_or_harmless(tmp_path_factory, place, value, cut):
    path = tmp_path_factory.getbasetemp() / "damaged"
    data = bytearray(npz({"x.npy": npy(ARRAYS["float"]), "words.npy": npy(ARRAYS["words"])}))
    data[place % len(data)] = value
    path.write_bytes(data[: len(data) - cut])
    with contextlib.suppress(ValueError):
        read_arrays(path)
